"""Traces and logs by OTLP, where `OTEL_EXPORTER_OTLP_ENDPOINT` says whereto; nothing is imported else.

The variables are those of OpenTelemetry (https://opentelemetry.io/docs/specs/otel/protocol/exporter/).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from lockgate import __version__
from lockgate.hub.operation.logline import facts_of, one_line, without_secrets

if TYPE_CHECKING:
    from opentelemetry._logs import Logger
    from opentelemetry.trace import Span, Tracer

log = logging.getLogger(__name__)

_WHERE = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Tracing:
    """One span a request."""

    def __init__(self, tracer: Tracer, stops: tuple[Callable[[], object], ...]) -> None:
        self._tracer = tracer
        self._stops = stops

    def begin(self, method: str, headers: Mapping[str, str]) -> Span:
        """Begin the span of a request, below the one that its `traceparent` names."""
        from opentelemetry.trace import SpanKind  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        parent = TraceContextTextMapPropagator().extract(dict(headers))
        return self._tracer.start_span(method, context=parent, kind=SpanKind.SERVER)

    def end(self, span: Span, method: str, route: str, status: int, facts: Mapping[str, str]) -> None:
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415

        span.update_name(f"{method} {route}")
        span.set_attributes({"http.request.method": method, "http.route": route, **facts})
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def stop(self) -> None:
        """Send what is left."""
        for stop in self._stops:
            stop()


def start() -> Tracing | None:
    """Begin to export, or return None where no endpoint is named, or the packages are not there."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or not any(map(os.environ.get, _WHERE)):
        return None
    try:
        return _start()
    except ImportError as error:
        log.error(
            "no traces are sent: %s; pip install 'lockgate[telemetry]'", error,
            extra={"action": "telemetry.missing"},
        )  # fmt: skip
        return None


def _start() -> Tracing:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk._logs import LoggerProvider  # noqa: PLC0415
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    name = os.environ.get("OTEL_SERVICE_NAME", "lockgate")
    resource = Resource.create({"service.name": name, "service.version": __version__})
    spans = TracerProvider(resource=resource, shutdown_on_exit=False)
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    lines = LoggerProvider(resource=resource, shutdown_on_exit=False)
    lines.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    logging.getLogger().addHandler(_Exported(lines.get_logger("lockgate", __version__)))
    # What the exporter logs of its own failures would be exported in turn
    logging.getLogger("opentelemetry").propagate = False
    return Tracing(spans.get_tracer("lockgate", __version__), (spans.shutdown, lines.shutdown))


class _Exported(logging.Handler):
    """Hands each log record to OpenTelemetry, cleaned as the lines are."""

    def __init__(self, target: Logger) -> None:
        super().__init__()
        self._target = target

    def emit(self, record: logging.LogRecord) -> None:
        from opentelemetry._logs import LogRecord, SeverityNumber  # noqa: PLC0415

        facts = {name: value for name, value in facts_of(record).items() if value is not None}
        self._target.emit(
            LogRecord(
                timestamp=int(record.created * 1e9),
                severity_text=record.levelname,
                severity_number=SeverityNumber(_severity(record.levelno)),
                body=one_line(without_secrets(record.getMessage())),
                attributes={"logger": record.name, **facts},
            )
        )


def _severity(level: int) -> int:
    """Return OpenTelemetry's number of one of Python's levels: 5 debug, 9 info, 13 warning, 17 error."""
    return (
        5 if level < logging.INFO else 9 if level < logging.WARNING else 13 if level < logging.ERROR else 17
    )
