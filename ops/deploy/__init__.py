"""Deploy"""
