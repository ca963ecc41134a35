"""Local"""
