"""Demo"""
