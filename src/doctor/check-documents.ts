import { CLIENT_PROFILES } from './client-profiles.ts'
import type { Finding, Findings } from './finding.ts'
import type { DocumentFailures } from './probe-documents.ts'

/** Where the metadata documents of well-known clients are. */
export const CLIENT_DOCUMENTS: readonly string[] = CLIENT_PROFILES.flatMap(({ document }) => document ?? [])

/** Whether the broker can fetch the documents that it offers clients to use: those that have one use no other way then. */
export function checkDocuments(failures: DocumentFailures, about: Findings): Finding[] {
  const [first] = failures
  if (first === undefined) return []
  const [url, reason] = first
  const hosts = [...new Set([...failures.keys()].map((one) => new URL(one).host))]
  return [
    about.warning(
      'documents_unreachable',
      `It takes client ID metadata documents, but cannot fetch those at ${hosts.join(', ')} (${url}: ${reason}). Clients that have theirs there cannot sign in.`,
      'Let the proxy reach these hosts over https. If it cannot, write `broker.client_metadata.enabled: false`: clients register themselves then.',
    ),
  ]
}
