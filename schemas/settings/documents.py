"""Settings of documents: sizes, parsing, file storage, fetching."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.settings.section import Secret, Section


class DocumentSettings(Section, frozen=True, kw_only=True):
    """Files, parsing and fetching. A document that exceeds a limit fails with an error that names it; other documents are not affected."""

    prefix: ClassVar[str] = "CLAW_DOCUMENT_"

    file_bytes_max: Annotated[int, Meta(ge=1024, le=1_073_741_824, description="Largest uploaded or fetched file.")] = 104_857_600
    blob_url: Annotated[
        str,
        Meta(description="Location of files: a folder or a URL such as s3://bucket/prefix (extra `s3`); empty means CLAW_HOME/blobs."),
    ] = ""
    secret: Annotated[
        Secret,
        Meta(
            description="Key that encrypts passwords of files and secrets of webhooks, for the API and `documents` workers;"
            " empty means CLAW_AUTH_SECRET."
        ),
    ] = Secret()
    requests_max: Annotated[
        int,
        Meta(
            ge=1,
            le=256,
            description="Last requests of a document with an `Idempotency-Key` that are recognised however late they are repeated.",
        ),
    ] = 16
    versions_kept: Annotated[
        int,
        Meta(
            ge=0,
            le=20,
            description="Replaced versions of a document whose files are kept, so that citations of them still show their pages;"
            " 0: a file goes as soon as a newer version is submitted.",
        ),
    ] = 3
    retries_max: Annotated[
        int,
        Meta(
            ge=0,
            le=8,
            description="How often a document whose embedding provider or web page stays away is queued again later, before it fails.",
        ),
    ] = 3
    retry_delay_s: Annotated[
        float,
        Meta(
            ge=1,
            le=3_600,
            description="Seconds until it is queued again the first time; each further wait is five times as long, at most an hour.",
        ),
    ] = 60.0
    processes: Annotated[
        int,
        Meta(ge=1, le=32, description="Child processes per queue (express, bulk, slow) for files and HTML; each starts at its first use."),
    ] = 1
    parse_wall_s: Annotated[float, Meta(gt=0, le=3600, description="Longest parse of one document in wall-clock time.")] = 30.0
    parse_cpu_s: Annotated[int, Meta(ge=1, le=3600, description="Longest parse of one document in CPU time.")] = 25
    parse_memory_mib: Annotated[int, Meta(ge=256, le=65_536, description="Maximum memory of a child process while it parses.")] = 1024
    text_chars_max: Annotated[int, Meta(ge=1_000, le=100_000_000, description="Maximum text of one document.")] = 8_000_000
    pages_max: Annotated[int, Meta(ge=1, le=100_000, description="Maximum pages or slides of one document.")] = 3_000
    cells_max: Annotated[int, Meta(ge=1, le=100_000_000, description="Maximum cells of one workbook or CSV file.")] = 2_000_000
    archive_entries_max: Annotated[int, Meta(ge=1, le=1_000_000, description="Maximum entries of an archive, Office files included.")] = (
        5_000
    )
    archive_bytes_max: Annotated[int, Meta(ge=1024, le=10_737_418_240, description="Maximum unpacked size of an archive.")] = 268_435_456
    archive_ratio_max: Annotated[int, Meta(ge=2, le=100_000, description="Maximum compression ratio of an archive beyond 1 MiB.")] = 200
    archive_depth_max: Annotated[int, Meta(ge=1, le=16, description="Maximum nesting of archives and e-mail messages.")] = 3
    include_hidden: Annotated[
        bool,
        Meta(description="Also read hidden rows, columns, sheets, slides, shapes and text; a note on the document names them either way."),
    ] = False
    ocr: Annotated[
        Literal["auto", "rapidocr", "tesseract", "off"],
        Meta(description="Engine that reads scans and pictures: `auto` takes RapidOCR (extra `ocr`), else Tesseract, where installed."),
    ] = "auto"
    ocr_languages: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z_]+(\+[A-Za-z_]+)*$",
            description="Languages of Tesseract by its names; languages that are not installed are skipped. RapidOCR needs none.",
        ),
    ] = "chi_sim+chi_tra+eng"
    ocr_pages_max: Annotated[int, Meta(ge=1, le=10_000, description="Maximum scanned pages of one document.")] = 50
    ocr_page_s: Annotated[
        float, Meta(gt=0, le=600, description="Longest recognition of one page; what was read until then is kept, with a note.")
    ] = 60.0
    ocr_wall_s: Annotated[
        float, Meta(gt=0, le=3600, description="Longest parse of a document with scanned pages; pages for which no time is left are named.")
    ] = 180.0
    ocr_memory_mib: Annotated[
        int, Meta(ge=256, le=65_536, description="Maximum memory of a child process while it reads scans, if more than for parsing.")
    ] = 1024
    picture_pixels_max: Annotated[
        int, Meta(ge=10_000, le=1_000_000_000, description="Largest picture that is recognised, alone or on a page of a PDF file.")
    ] = 80_000_000
    page_processes: Annotated[
        int,
        Meta(
            ge=0, le=32, description="Child processes of the API that make page images of files for readers; 0: passages are shown as text."
        ),
    ] = 1
    page_wall_s: Annotated[float, Meta(gt=0, le=600, description="Longest work on one page image, or on one quote's boxes.")] = 15.0
    page_requests_max: Annotated[
        int, Meta(ge=1, le=100, description="Page images that one account is sent at once by one API process.")
    ] = 6
    page_cache_mib: Annotated[int, Meta(ge=0, le=4_096, description="Memory for page images that an API process keeps for readers.")] = 48
    page_cache_s: Annotated[float, Meta(ge=0, le=86_400, description="Longest time that a page image is kept there.")] = 600.0
    fetch_timeout_s: Annotated[float, Meta(gt=0, le=600, description="Longest fetch of one web page, redirects included.")] = 20.0
    fetch_bytes_max: Annotated[int, Meta(ge=1024, le=1_073_741_824, description="Largest fetched page or file.")] = 20_971_520
    fetch_redirects_max: Annotated[int, Meta(ge=0, le=20, description="Maximum redirects; every target is checked.")] = 5
    fetch_networks: Annotated[
        str, Meta(description="Comma-separated CIDRs of non-public addresses that may be fetched, such as an intranet.")
    ] = ""
    stall_s: Annotated[
        float,
        Meta(
            ge=1,
            le=86_400,
            description="Time without progress after which a document that waits in no queue counts as stalled and is queued again.",
        ),
    ] = 120.0
    slow_s: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="Time in which a tenant's documents take the slow queue after one ended its parser (time, memory, crash).",
        ),
    ] = 300.0
    wait_s_max: Annotated[float, Meta(ge=1, le=604_800, description="Estimated wait beyond which new documents are refused with 503.")] = (
        3_600.0
    )
