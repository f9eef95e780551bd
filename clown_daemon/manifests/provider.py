"""What a provider of models is: its endpoints, the wire format of each, how it takes a key, its models.

The documented `type` is a coarse name for people; which agent can use which provider is decided by the wire format of
the endpoint alone (`manifests.recipe.choose_endpoint`).
"""

from typing import Literal

import msgspec

from clown_daemon.manifests.wires import Wire
from clown_daemon.protocol.resources import Provider, ProviderType

WIRE_OF_TYPE: dict[str, Wire] = {
    "anthropic": "anthropic",
    "anthropic-compatible": "anthropic",
    "openai": "openai",
    "openai-compatible": "openai-chat",
}
"""What an endpoint speaks that is given by its URL alone. `self` has no endpoints: the agent's own login is used."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One address of a provider.

    The URL ends where that format's clients expect it to: without `/v1` for `anthropic` and `gemini`, with it for the
    two of OpenAI.
    """

    url: str
    wire: Wire


class ProviderManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider of models."""

    id: str
    name: str
    type: ProviderType
    endpoints: dict[str, str | Endpoint] = {}
    """In the order of preference; a bare URL speaks the format of the provider's type."""
    default_endpoint: str | None = None
    key: Literal["x-api-key", "bearer"] | None = None
    """The header an Anthropic-style endpoint takes the key in; None is the usual one of the type."""
    needs_key: bool = True
    models: tuple[str, ...] = ()
    default_model: str | None = None
    source: Literal["bundled", "user", "registry"] = "bundled"
    """Where the manifest came from; set by the loader, not in the file."""

    @property
    def key_header(self) -> Literal["x-api-key", "bearer"]:
        """How the key travels to an Anthropic-style endpoint."""
        return self.key or ("x-api-key" if self.type == "anthropic" else "bearer")

    def endpoint(self, name: str) -> Endpoint:
        """One endpoint in full.

        Raises:
            KeyError: there is none of that name.
        """
        found = self.endpoints[name]
        return found if isinstance(found, Endpoint) else Endpoint(url=found, wire=WIRE_OF_TYPE[self.type])

    def resource(self) -> Provider:
        """The provider as it stands on the wire."""
        return Provider(
            id=self.id,
            name=self.name,
            type=self.type,
            endpoints={name: self.endpoint(name).url for name in self.endpoints},
            default_endpoint=self.default_endpoint,
            models=self.models,
            default_model=self.default_model,
        )
