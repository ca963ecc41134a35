"""Resources"""
