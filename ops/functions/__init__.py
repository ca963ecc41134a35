"""Functions"""
