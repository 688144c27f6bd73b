import { isLoopback } from './flaws.ts'
import type { Inspection } from './inspection.ts'

/** Checks what concerns listening, the public URL and browsers. */
export function checkEdge({ draft, isBroken, report }: Inspection): void {
  const host = draft.listen?.host
  if (host !== undefined && !isLoopback(host) && draft.public_url === undefined && !isBroken(['public_url'])) {
    report(['public_url'], {
      reason: 'is missing, and the proxy listens beyond this machine',
      fix: 'Write the origin that clients use, for example https://mcp.example.com, or listen on 127.0.0.1.',
    })
  }
  if (draft.cors?.allow_credentials === true && draft.cors.allowed_origins?.includes('*')) {
    report(['cors', 'allow_credentials'], {
      reason: 'cannot be true while `allowed_origins` permits every page',
      fix: 'List the origins, or set `allow_credentials: false`: access tokens do not need it.',
    })
  }
}
