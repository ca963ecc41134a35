"""The formats of what duplicity stores: manifests, signatures, and how gpg has encrypted them."""

# SPDX-License-Identifier: GPL-2.0-or-later
