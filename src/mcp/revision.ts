/** Revisions with `initialize` and without header rules, oldest first. */
const LEGACY_REVISIONS = new Set(['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'])

/** What a missing `MCP-Protocol-Version` header means (2025-11-25, basic/transports, Protocol Version Header). */
const REVISION_WITHOUT_HEADER = '2025-03-26'

/** HTTP+SSE is the transport of this revision, which has no version header. */
const REVISION_OF_HTTP_SSE = '2024-11-05'

/**
 * Whether the header rules of 2026-07-28 apply. Everything that isn't one of the four older revisions counts as modern: a revision may
 * add requirements, never remove them, so an unknown value gets the strictest reading.
 */
export function isModernRevision(revision: string): boolean {
  return !LEGACY_REVISIONS.has(revision)
}

/** Whether the revision is older than 2025-03-26, the first with an authorization chapter. */
export function isPreAuthorizationRevision(revision: string): boolean {
  return revision === REVISION_OF_HTTP_SSE
}

/**
 * Whether a client that opens a session with this `protocolVersion` may be older than the authorization chapter. If it names none,
 * the MCP server decides; a value that is no date is not an older revision.
 */
export function mayOpenBeforeAuthorization(revision: string): boolean {
  return revision === '' || (/^\d{4}-\d{2}-\d{2}$/.test(revision) && revision < REVISION_WITHOUT_HEADER)
}

/** Whether a body may be a JSON-RPC batch: added in 2025-03-26, removed in 2025-06-18. */
export function permitsBatches(revision: string): boolean {
  return revision === REVISION_WITHOUT_HEADER || revision === REVISION_OF_HTTP_SSE
}

/**
 * The revision that applies to a request.
 *
 * @param header - value of `MCP-Protocol-Version`, if any
 * @param isHttpSse - whether the endpoint belongs to HTTP+SSE
 */
export function findRevision(header: string | undefined, isHttpSse: boolean): string {
  return header ?? (isHttpSse ? REVISION_OF_HTTP_SSE : REVISION_WITHOUT_HEADER)
}
