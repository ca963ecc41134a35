"""Which right a call to AWS asks for: IAM's name of the action, where it is not that of the operation."""

from __future__ import annotations

PREFIXES = {"sesv2": "ses"}
NO_RIGHT_NEEDED = {
    "sts:GetCallerIdentity",
    "dynamodb:TransactWriteItems",  # its parts are asked for
}
NAMED_OTHERWISE = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:PutObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration",
    "s3:ListBucketIntelligentTieringConfigurations": "s3:GetIntelligentTieringConfiguration",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:ListParts": "s3:ListMultipartUploadParts",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:DeleteObjects": "s3:DeleteObject",
}
API_GATEWAY_VERBS = {
    "Get": "GET",
    "Import": "POST",
    "Create": "POST",
    "Put": "PUT",
    "Update": "PATCH",
    "Delete": "DELETE",
}


def action_of(call: str) -> str | None:
    """``"lambda:Invoke"`` -> ``"lambda:InvokeFunction"``; None where no right is asked for."""
    if call in NO_RIGHT_NEEDED:
        return None
    service, _, operation = call.partition(":")
    if service == "apigateway":
        verb = next(verb for name, verb in API_GATEWAY_VERBS.items() if operation.startswith(name))
        return f"apigateway:{verb}"
    return NAMED_OTHERWISE.get(call, f"{PREFIXES.get(service, service)}:{operation}")
