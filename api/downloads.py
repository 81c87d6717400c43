"""The door behind which exports lie: opened by a link, or by the token of whoever asked."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from api.links import opens
from api.types.export import filename, is_theirs, read_export_id
from api.viewer import IssuerUnavailable, ViewerOf
from domain.errors import DomainError, NotFound
from regions.exports import Export, ExportFormat, Exports, ExportState
from regions.store.event_store import StoreUnavailable

MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8; header=present",
    ExportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}


class FileIncomplete(Exception):
    """The export expired while it was sent: the client misses what Content-Length told."""


@dataclass
class Downloads:
    exports: Exports
    token_key: bytes
    viewer_of: ViewerOf
    clock: Callable[[], datetime]
    threads: CapacityLimiter

    async def answer(self, request: Request) -> Response:
        """Whatever is wrong is told in the same words: nobody learns what others have."""
        try:
            export = await self._found(request)
        except (StoreUnavailable, IssuerUnavailable):
            return PlainTextResponse("", 503)
        except DomainError:
            return _not_found()
        return StreamingResponse(
            self._parts(export),
            media_type=MEDIA_TYPES[export.format],
            headers={
                "Content-Disposition": f'attachment; filename="{filename(export)}"',
                "Content-Length": str(export.size_bytes),
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "no-store",
            },
        )

    async def _found(self, request: Request) -> Export:
        """Raises NotFound and NotPermitted."""
        export_id = read_export_id(request.path_params["id"])
        export = await to_thread.run_sync(
            lambda: self.exports.find(export_id, at=self.clock()), limiter=self.threads
        )
        if (
            export is None
            or export.state is not ExportState.READY
            or request.path_params["filename"] != filename(export)
            or not await self._may_have(request, export)
        ):
            raise NotFound
        return export

    async def _may_have(self, request: Request, export: Export) -> bool:
        """Raises NotPermitted for a token that is none."""
        link = request.query_params.get("link")
        if link is not None:
            return opens(self.token_key, link, export.id, now=self.clock())
        viewer = await self.viewer_of(request.headers.get("authorization"))
        return is_theirs(export, viewer)

    async def _parts(self, export: Export) -> AsyncIterator[bytes]:
        """One at a time, on a connection only while it is read: a slow client holds none."""
        sent, number = 0, 0
        while sent < (export.size_bytes or 0):
            piece = await self._part(export, number)
            if piece is None:
                raise FileIncomplete
            yield piece
            sent, number = sent + len(piece), number + 1

    async def _part(self, export: Export, number: int) -> bytes | None:
        return await to_thread.run_sync(
            lambda: self.exports.part(export.id, number), limiter=self.threads
        )


def _not_found() -> JSONResponse:
    refusal = NotFound()
    error = {"code": refusal.code, "message": str(refusal), "field": refusal.field}
    return JSONResponse({"error": error}, status_code=404)
