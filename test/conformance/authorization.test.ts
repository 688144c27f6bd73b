// The conformance suite on the demo's authorization server and on the broker: metadata, and a grant that a person walks through in a browser.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signIn } from '../../demo/browser.ts'
import { startAuthorizationServer } from '../../src/sandbox/authorization-server.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { startBrokerStage } from '../support/broker-stage.ts'
import { findFreePort } from '../support/free-port.ts'
import { type Check, findUnpassed, REVISIONS, type Revision, runSuite } from './suite.ts'

const [alice] = SAMPLE_USERS

interface Candidate {
  readonly issuer: string
  readonly resource: string
  close(): Promise<void>
}

async function startDemo(): Promise<Candidate> {
  const resource = 'https://mcp.example.com/mcp'
  const server = await startAuthorizationServer({ resources: [resource] })
  return { issuer: server.issuer, resource, close: () => server.close() }
}

async function startBroker(): Promise<Candidate> {
  const stage = await startBrokerStage()
  return { issuer: stage.proxy.origin, resource: stage.url, close: () => stage.close() }
}

describe.each([
  ['the authorization server of the demo', startDemo],
  ['the broker', startBroker],
] as const)('%s', (_name, start) => {
  let candidate: Candidate
  beforeAll(async () => {
    candidate = await start()
  })
  afterAll(() => candidate?.close())

  it.each(REVISIONS)('passes every check of %s', async (revision) => {
    const checks = await runAuthorizationScenarios(candidate, revision)
    expect(findUnpassed(checks)).toEqual([])
    expect(checks.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['authorization-server-metadata', 'authorization-code-grant']),
    )
  })
})

async function runAuthorizationScenarios({ issuer, resource }: Candidate, revision: Revision): Promise<Check[]> {
  const port = await findFreePort()
  const clientId = await register(issuer, `http://127.0.0.1:${port}/callback`)
  const where = ['--url', issuer, '--spec-version', revision, '--resource', resource]
  const walks: Promise<unknown>[] = []
  const onLine = (line: string) => {
    if (line.startsWith(`${issuer}/authorize?`)) walks.push(walk(line))
  }
  const checks = await runSuite(['authorization', ...where, '--client-id', clientId, '-p', String(port)], { onLine })
  await Promise.all(walks)
  expect(walks).toHaveLength(1)
  return checks
}

/** Opens the link that the suite prints, signs in, consents, and goes back to where the suite listens. */
async function walk(link: string): Promise<void> {
  const back = await signIn(link, alice)
  await fetch(back)
}

async function register(issuer: string, redirectUri: string): Promise<string> {
  const response = await fetch(`${issuer}/register`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ client_name: 'Conformance suite', redirect_uris: [redirectUri] }),
  })
  const { client_id: clientId } = (await response.json()) as { client_id: string }
  return clientId
}
