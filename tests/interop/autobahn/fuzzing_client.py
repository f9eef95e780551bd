"""Runs cases of the Autobahn suite against an echo service, one connection a case, in a process of its own.

`fuzzing_client.py URL REPORT` writes a JSON object: for each case its `behavior`, its `behaviorClose`, and what
happened. The cases speak text with one character a byte (see `suite`); it is turned into bytes and back here.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol, connectWS
from autobahn.websocket import utf8validator
from autobahn.websocket.protocol import WebSocketProtocol
from twisted.internet import reactor

FAMILIES = frozenset({"1", "2", "3", "4", "5", "6", "7", "9", "10"})
"""All but the ones for compression; 0 and 8 have no cases."""


def to_bytes(text: str | bytes | None) -> bytes | None:
    return text.encode("latin-1") if isinstance(text, str) else text


def to_text(data: bytes) -> str:
    return data.decode("latin-1")


def case_id(case_class: type) -> str:
    """Case1_2_3 is 1.2.3."""
    return case_class.__name__.removeprefix("Case").replace("_", ".")


class TextValidator(utf8validator.Utf8Validator):
    """Some cases ask the library itself what is valid."""

    def validate(self, data: str | bytes) -> Any:
        return super().validate(to_bytes(data))


utf8validator.Utf8Validator = TextValidator
# Only now: the cases ask while they are imported.
suite = importlib.import_module("autobahntestsuite.case")


class FuzzingClient(WebSocketClientProtocol):
    """The connection of one case: `factory.case_class`."""

    def connectionMade(self) -> None:  # noqa: N802  # Twisted's name
        # What the cases write to or read from their connection.
        self.runCase = self.factory.case_class(self)
        self.connectionWasOpen = False
        self.createWirelog = False
        self.txFrameStats: dict[int, int] = {}
        self.rxFrameStats: dict[int, int] = {}
        super().connectionMade()

    def onOpen(self) -> None:  # noqa: N802  # Autobahn's name
        self.connectionWasOpen = True
        self.runCase.onOpen()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803  # the same
        self.runCase.onMessage(to_text(payload), isBinary)

    def onPing(self, payload: bytes) -> None:  # noqa: N802  # the same
        if type(self.runCase).onPing is suite.Case.onPing:
            super().onPing(payload)
        else:
            self.runCase.onPing(to_text(payload))

    def onPong(self, payload: bytes) -> None:  # noqa: N802  # the same
        self.runCase.onPong(to_text(payload))

    def onClose(self, *how: Any) -> None:  # noqa: N802  # the same
        self.runCase.onClose(*how)

    def connectionLost(self, reason: Any) -> None:  # noqa: N802  # Twisted's name
        super().connectionLost(reason)
        try:
            self.runCase.onConnectionLost(self.failedByMe)
        except Exception as error:  # noqa: BLE001  # whatever a case does, the next one runs, and this one is told
            self.runCase.behavior, self.runCase.result = "BROKEN", repr(error)
        self.factory.ended(self.runCase, self.remoteCloseCode)

    # -- what the cases call ------------------------------------------------------------------------------------------

    def sendFrame(self, opcode: int, payload: str = "", **options: Any) -> None:  # noqa: N802  # Autobahn's name
        self.txFrameStats[opcode] = self.txFrameStats.get(opcode, 0) + 1
        if "mask" in options:
            options["mask"] = to_bytes(options["mask"])
        super().sendFrame(opcode, to_bytes(payload), **options)

    def sendMessage(  # noqa: N802  # the same
        self,
        payload: str,
        binary: bool = False,
        fragmentSize: int | None = None,  # noqa: N803  # the same
        **options: Any,
    ) -> None:
        super().sendMessage(to_bytes(payload), options.pop("isBinary", binary), fragmentSize, **options)

    def beginMessage(self, binary: bool = False, **options: Any) -> None:  # noqa: N802  # the same
        super().beginMessage(options.pop("isBinary", binary), **options)

    def sendMessageFrameData(self, payload: str, sync: bool = False) -> Any:  # noqa: N802  # the same
        return super().sendMessageFrameData(to_bytes(payload), sync)

    def sendPing(self, payload: str | None = None) -> None:  # noqa: N802  # the same
        super().sendPing(to_bytes(payload))

    def sendCloseFrame(self, code: Any = None, reasonUtf8: Any = None, isReply: bool = False) -> None:  # noqa: N802, N803  # the same
        super().sendCloseFrame(code, to_bytes(reasonUtf8), isReply)

    def enableWirelog(self, enabled: bool) -> None:  # noqa: N802  # the suite's name
        self.createWirelog = enabled

    def continueLater(self, delay: float, function: Any, tag: Any = None) -> None:  # noqa: N802, ARG002  # the same
        self._later(delay, function)

    def killAfter(self, delay: float) -> None:  # noqa: N802  # the same
        self._later(delay, self._fail_connection)

    def closeAfter(self, delay: float) -> None:  # noqa: N802  # the same
        self._later(delay, self.sendClose)

    def _later(self, delay: float, function: Any) -> None:
        def unless_closed() -> None:
            if self.state != WebSocketProtocol.STATE_CLOSED:
                function()

        reactor.callLater(delay, unless_closed)


class Run(WebSocketClientFactory):
    """One case after the other."""

    protocol = FuzzingClient

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.setProtocolOptions(failByDrop=False, openHandshakeTimeout=10, closeHandshakeTimeout=10)
        self.report: dict[str, dict[str, Any]] = {}
        self._left = [case for case in reversed(suite.Cases) if case_id(case).partition(".")[0] in FAMILIES]
        self.case_class: Any = None

    def go_on(self) -> None:
        if not self._left:
            reactor.stop()
            return
        self.case_class = self._left.pop()
        connectWS(self)

    def ended(self, case: Any, close_code: int | None) -> None:
        self.report[case_id(self.case_class)] = {
            "behavior": case.behavior,
            "behaviorClose": case.behaviorClose,
            "closeCode": close_code,
            "result": str(case.result)[:300],
            "resultClose": str(case.resultClose)[:300],
        }
        reactor.callLater(0, self.go_on)

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:  # noqa: N802, ARG002  # Twisted's name
        reactor.stop()


def main() -> None:
    url, report = sys.argv[1:]
    run = Run(url)
    reactor.callWhenRunning(run.go_on)
    reactor.run()
    Path(report).write_text(json.dumps(run.report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
