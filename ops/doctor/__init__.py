"""Doctor"""
