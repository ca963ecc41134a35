"""Docs"""
