"""What a person sees: progress, status, desktop notifications."""

# SPDX-License-Identifier: GPL-2.0-or-later
