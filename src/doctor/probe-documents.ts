import type { ClientMetadataPlan } from '../core/plan/broker-plan.ts'
import { createSafeFetch, type SafeFetch } from '../oauth/safe-fetch.ts'
import { explainFailure } from './failure.ts'

/** Why metadata documents cannot be had, by their URL. Those that can are not in it. */
export type DocumentFailures = ReadonlyMap<string, string>

/** Fetches metadata documents of clients as the broker would. */
export async function probeDocuments(urls: readonly string[], plan: ClientMetadataPlan): Promise<DocumentFailures> {
  if (!plan.enabled) return new Map()
  const { fetchJson, close } = createSafeFetch({ ...plan, issuer: undefined })
  try {
    const results = await Promise.all(urls.map((url) => findFailure(url, fetchJson)))
    return new Map(results.filter((result) => result !== undefined))
  } finally {
    await close()
  }
}

async function findFailure(url: string, fetchJson: SafeFetch['fetchJson']): Promise<readonly [string, string] | undefined> {
  try {
    await fetchJson(url, { namedBy: 'metadata' })
    return undefined
  } catch (error) {
    return [url, explainFailure(error).reason]
  }
}
