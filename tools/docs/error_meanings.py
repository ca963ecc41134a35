"""What each error code of the API means, for the reference. The message of an answer adds the case and what to do."""

from __future__ import annotations

from chalicelib.wire import ErrorCode

MEANINGS = {
    ErrorCode.BAD_REQUEST: "A field is missing, or its value is not as the contract asks. The message names it.",
    ErrorCode.BAD_JSON: "The body is not JSON.",
    ErrorCode.BODY_TOO_LARGE: "The body is too large. Ask for fewer files at once.",
    ErrorCode.TOO_MANY_FILES: "The request names too many files. Ask for fewer at once.",
    ErrorCode.BAD_CODE: "The enrolment code is not valid, has expired or was replaced.",
    ErrorCode.CODE_USED: "The enrolment code was used before.",
    ErrorCode.NOT_AUTHORIZED: "The token is missing or not valid. Enrol the machine again.",
    ErrorCode.MACHINE_REVOKED: "The owner revoked the machine's token.",
    ErrorCode.UNKNOWN_JOB: "The machine has no job of this name.",
    ErrorCode.TOO_MANY_JOBS: "The family of photo jobs has as many as it may. Put folders of one year together.",
    ErrorCode.UNKNOWN_RUN: "There is no such run, or it has ended. Start a new backup.",
    ErrorCode.RUN_IN_PROGRESS: "Another run holds the job.",
    ErrorCode.LEASE_LOST: "This run no longer holds the job: another run began, or this one was ended.",
    ErrorCode.BAD_NAME: "Not a file name that duplicity writes, or not an encrypted file.",
    ErrorCode.WRONG_PREFIX: "The file name lacks the prefix of its kind, `data_` or `meta_`.",
    ErrorCode.CLOCK_WRONG: "The computer's clock is wrong.",
    ErrorCode.NAME_IN_FUTURE: "The set is dated in the future. Set the computer's clock.",
    ErrorCode.NAME_OUT_OF_ORDER: "The set does not follow the newest finished set of its chain.",
    ErrorCode.BAD_DIGEST: "A SHA-256 is not 64 lower-case hex digits.",
    ErrorCode.FILE_TOO_LARGE: "The file is larger than a file of its kind may be.",
    ErrorCode.STORAGE_CAP: "The machine has stored as much as it may.",
    ErrorCode.DOWNLOAD_CAP: "The machine has downloaded as much as it may in a day.",
    ErrorCode.SET_SEALED: "The set is finished. It takes no files and gives none away.",
    ErrorCode.SET_SEALING: "The set is being finished. Try again when that permit has expired.",
    ErrorCode.SET_INCOMPLETE: "Files of the set are missing or differ. Upload them again, then the manifest.",
    ErrorCode.SET_LIST_MISSING: "The manifest came without the list of its set's files, or with a list that has gaps.",
    ErrorCode.PROOF_MISSING: "The job has had a proof of origin, and this manifest has none. Upgrade panicroom there.",
    ErrorCode.BAD_PROOF: "A proof is 64 lower-case hex digits.",
    ErrorCode.THAW_BUDGET: "The thaw costs more than is left of the machine's budget this month, or would be "
    "more than ten volumes by Expedited this month. The owner was mailed, and can approve it.",
    ErrorCode.THAW_CAP: "The machine has planned as many thaws as it may today, or has had its files listed as often "
    "as it may this month.",
    ErrorCode.THAW_IN_PROGRESS: "Another thaw of the job is under way. The message says until when.",
    ErrorCode.PLAN_CHANGED: "The thaw has become dearer than was agreed to. Plan it again.",
    ErrorCode.TIER_UNAVAILABLE: "The storage class of these volumes has no such tier. Choose another.",
    ErrorCode.PRICE_UNKNOWN: "A price of the region is not known, so the owner has to approve the thaw.",
    ErrorCode.UNKNOWN_THAW: "There is no such thaw, or its plan is older than a day. Plan it again.",
    ErrorCode.READ_ONLY: "The token came from a recovery code: it lists, downloads and thaws. Backing up takes an "
    "enrolment code of the owner.",
    ErrorCode.TOO_MANY_TRIES: "Twenty recovery codes were tried from this network address within the hour. Right or "
    "wrong, none is looked at until the next hour; other addresses are not held up.",
    ErrorCode.DRILL_ALLOWANCE: "The month's allowance for drills is used up. A drill is due again next month.",
    ErrorCode.NOT_FOUND: "There is no such file, set or machine.",
    ErrorCode.TRY_AGAIN: "The service cannot answer now. Try again.",
    ErrorCode.INTERNAL: "The service failed; its log has the reason. Try again.",
}
