"""Errors a person can act on.

Every refusal of the domain is a `Failure`: a translatable sentence (an English message id and its
parameters), the status and code of the public contract, and the field it is about. The outer floors
(REST, pages, jobs) translate and show it; nothing else may reach a user.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar


def N_(message: str) -> str:
    """Mark `message` as translatable; it is translated where it is shown."""
    return message


class Failure(Exception):
    """A refusal with a sentence for people. `message` is a message id in English."""

    status: ClassVar[int] = 400
    code: ClassVar[int] = 9007
    label: ClassVar[str | None] = None
    """A word for `X-Error-Code` where clients know one; else the number is sent."""
    default: ClassVar[str] = N_("The request could not be carried out.")
    details: Mapping[str, Any] = {}
    """More fields of the answer, where clients know some."""
    reference: str | None = None
    """What the log calls the incident, where that is not the id of the request."""

    def __init__(self, message: str | None = None, *, field: str | None = None, **params: Any) -> None:
        self.message = message or self.default
        self.field = field
        self.params = params
        super().__init__(self.text())

    def text(self) -> str:
        """The sentence in English, for logs."""
        return self.message.format(**self.params) if self.params else self.message


class Invalid(Failure):
    """A value is not acceptable; `field` names it."""

    status, code = 422, 9012
    default = N_("A value is missing or wrong.")


class BadRequest(Failure):
    """The request makes no sense in the present state."""


class Unauthenticated(Failure):
    """Nobody is signed in, or the credential is not valid."""

    status, code = 401, 9005
    default = N_("Sign in to continue.")


class Forbidden(Failure):
    """The actor may see the object but not do this to it."""

    status, code = 403, 9001
    default = N_("You do not have permission to do this.")


class NotApproved(Forbidden):
    """The organisation's rules do not allow this model, or this knowledge, in the space."""

    label = "not_approved"
    default = N_("This model is not approved for this space. Choose another model.")


class UserInactive(Failure):
    """The user is deactivated."""

    status, code = 403, 9019
    default = N_("This account is deactivated. Ask your administrator.")


class TenantSuspended(Failure):
    """The organisation is suspended."""

    status, code = 403, 9025
    default = N_("This organisation is suspended.")


class NotFound(Failure):
    """The object does not exist, or the actor may not know that it does."""

    status, code = 404, 9000
    default = N_("Not found.")


class NameTaken(Failure):
    """Another object has this name."""

    status, code = 409, 9017
    default = N_("The name is already in use.")


class NotUnique(Failure):
    """The value is already used."""

    status, code = 400, 9009
    default = N_("This is already in use.")


class UserNotUnique(NotUnique):
    """Another account has this address."""

    code = 9004
    default = N_("This e-mail address is already in use.")


class Conflict(Failure):
    """Something else depends on the present state."""

    status = 409
    default = N_("Something else depends on this.")


class Unconfirmed(Conflict):
    """The change takes something away that whoever asks for it has not confirmed; `details` say what."""

    label = "unconfirmed"
    default = N_("This change takes something away. Look at what it affects, and confirm that you want it.")


class QuotaExceeded(Failure):
    """A storage limit is reached."""

    status, code = 403, 9008
    default = N_("The storage is full. Delete something or ask your administrator for more room.")


class BudgetExhausted(QuotaExceeded):
    """A budget for models allows no more; `details` say when it begins anew and whom to ask."""

    label = "budget_exhausted"
    default = N_("The budget for AI models allows no more.")


class QueryTooLong(Failure):
    """The question does not fit the model."""

    status, code = 400, 9003
    default = N_("The question and its files are too long for this model. Shorten them or remove a file.")


class NoModel(Failure):
    """No usable model is selected."""

    status, code = 400, 9020
    default = N_("No AI model is available here. Ask your administrator to add one.")


class UnsupportedFile(Failure):
    """The type of the file is not supported."""

    status, code = 415, 9014
    default = N_("Files of this type cannot be read.")


class FileTooLarge(Failure):
    """The file is over the limit."""

    status, code = 413, 9015
    default = N_("The file is larger than the limit of {limit}.")


class TooLarge(Failure):
    """More was asked for than is given at once."""

    status, code = 413, 9015
    default = N_("This is too much at once.")


class UnreadableFile(Failure):
    """The file could not be read."""

    status, code = 400, 9027
    default = N_("The file could not be read.")


class EncryptedFile(UnreadableFile):
    """The file needs a password."""

    code = 9028
    default = N_("The file is protected with a password. Remove the protection and upload it again.")


class CorruptFile(UnreadableFile):
    """The file is damaged."""

    code = 9029
    default = N_("The file is damaged or not of the type its name says.")


class InfectedFile(UnsupportedFile):
    """The scanner found something harmful in the file."""

    default = N_("The file was refused: the virus scanner found “{found}” in it.")


class TooManyRequests(Failure):
    """The caller must wait; `retry_after` seconds."""

    status, code = 429, 9007
    default = N_("Too many attempts. Wait {retry_after} seconds and try again.")


class Trouble(StrEnum):
    """What is wrong with a provider that did not answer as it should."""

    BUSY = "busy"
    DOWN = "down"
    UNREACHABLE = "unreachable"
    SILENT = "silent"
    CUT = "cut"
    GARBAGE = "garbage"
    KEY = "key"
    UNKNOWN_MODEL = "unknown_model"
    REJECTED = "rejected"
    RESTING = "resting"


class ProviderFailed(Failure):
    """The model provider did not answer as it should. After `retry_after` seconds it wants to be asked again."""

    status, code = 503, 9010
    default = N_("The AI provider failed.")
    trouble: Trouble = Trouble.DOWN

    def __init__(
        self,
        message: str | None = None,
        *,
        trouble: Trouble | None = None,
        retry_after: float | None = None,
        **params: Any,
    ) -> None:
        self.trouble, self.retry_after = trouble or self.trouble, retry_after
        super().__init__(message, **params)


class ProviderKeyMissing(ProviderFailed):
    """The provider refused or lacks the key."""

    code = 9026
    default = N_("The AI provider refused the key. An administrator can change it under Administration, AI models.")
    trouble = Trouble.KEY


class KeyMissing(Failure):
    """What is stored was encrypted with a key that the installation does not have."""

    status, code = 503, 9026
    default = N_("A stored value was encrypted with a key that is missing here.")


class ProviderInactive(ProviderFailed):
    """The provider is switched off."""

    code = 9031
    default = N_("The AI provider is switched off.")


class ScannerUnreachable(ProviderFailed):
    """Files are looked at by a scanner, which does not answer."""

    default = N_("The file was not taken in, because the virus scanner does not answer. Try again later.")


class UnderMaintenance(Failure):
    """The operator has closed the product for a while; `text` says why, in the operator's words."""

    status, code = 503, 9032
    default = N_("The service is closed for maintenance. {text}")


class DatabaseAway(Failure):
    """The database does not answer, or has broken off."""

    status, code = 503, 9033
    default = N_("The database does not answer at the moment. What was saved is safe; try again in a moment.")


class NoRoom(Failure):
    """Nothing can be written where the installation keeps its data."""

    status, code = 507, 9034
    default = N_("The server has no room to save this. What was saved is safe. Tell whoever runs this installation.")


class StorageTrouble(Exception):
    """What is kept can at present not be read or written; `shown` says so to people.

    No `Failure`: it decides nothing about what was asked for, and whoever catches a refusal must not take it for one.
    """

    def __init__(self, shown: Failure) -> None:
        self.shown = shown
        super().__init__(shown.text())
