"""Buckets"""
