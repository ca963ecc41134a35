"""Bucket, table, queue and topic: the CloudFormation stack."""
