/** Metadata documents of clients that people try first. */
const DOCUMENTS = ['https://claude.ai/oauth/claude-code-client-metadata', 'https://vscode.dev/oauth/client-metadata.json']
const WAIT_MS = 2000

/**
 * Whether metadata documents of clients can be fetched from here. Clients that have one use it wherever it is offered, and could not sign
 * in on a machine without a network, though they would register otherwise.
 */
export async function canReachDocuments(urls: readonly string[] = DOCUMENTS): Promise<boolean> {
  const results = await Promise.allSettled(urls.map(fetchDocument))
  return results.some(({ status }) => status === 'fulfilled')
}

/** @throws Error when it cannot be had */
async function fetchDocument(url: string): Promise<void> {
  const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(WAIT_MS) })
  await response.body?.cancel()
  if (!response.ok) throw new Error(`status ${response.status}`)
}
