import { readFile } from 'node:fs/promises'
import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import type { SafeFetch } from './safe-fetch.ts'

/** Longer ones are no tokens. */
const MAX_CHARACTERS = 16 * 1024

/**
 * Shows a token where metadata and keys are fetched, as the API server of Kubernetes demands it. The file is read each time, since what is in
 * it is replaced before it expires.
 *
 * The token goes only to addresses that the configuration names: what metadata names elsewhere is asked without it.
 */
export function createTokenFetch(
  fetchJson: SafeFetch['fetchJson'],
  { fetchTokenFile, issuer, metadataUrl, jwksUri }: IssuerPlan,
): SafeFetch['fetchJson'] {
  if (fetchTokenFile === undefined) return fetchJson
  const origins = new Set([metadataUrl ?? issuer, jwksUri].flatMap((url) => (url === undefined ? [] : new URL(url).origin)))
  return async (url, request) => {
    if (!origins.has(new URL(url).origin)) return fetchJson(url, request)
    const authorization = `Bearer ${await readToken(fetchTokenFile)}`
    return fetchJson(url, { ...request, headers: { ...request.headers, authorization } })
  }
}

/** @throws Error that holds nothing of the file */
async function readToken(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Error(`fetch_token_file cannot be read (${error.code})`)
  })
  const token = text.trim()
  if (token === '' || token.length > MAX_CHARACTERS || !/^[\x21-\x7e]+$/.test(token))
    throw new Error('fetch_token_file holds no token')
  return token
}
