// The conformance suite on the demo's authorization server: its metadata, and a grant that a person walks through in a browser.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../../demo/authorization-server/users.ts'
import { type AuthorizationServer, startAuthorizationServer } from '../../demo/authorization-server.ts'
import { signIn } from '../../demo/browser.ts'
import { findFreePort } from '../support/proxy.ts'
import { type Check, findUnpassed, REVISIONS, type Revision, runSuite } from './suite.ts'

const RESOURCE = 'https://mcp.example.com/mcp'
const [alice] = SAMPLE_USERS

let server: AuthorizationServer
beforeAll(async () => {
  server = await startAuthorizationServer({ resources: [RESOURCE] })
})
afterAll(() => server.close())

it.each(REVISIONS)('the authorization server of the demo passes every check of %s', async (revision) => {
  const checks = await runAuthorizationScenarios(revision)
  expect(findUnpassed(checks)).toEqual([])
  expect(checks.map(({ id }) => id)).toEqual(
    expect.arrayContaining(['authorization-server-metadata', 'authorization-code-grant']),
  )
})

async function runAuthorizationScenarios(revision: Revision): Promise<Check[]> {
  const port = await findFreePort()
  const clientId = await register(`http://127.0.0.1:${port}/callback`)
  const where = ['--url', server.issuer, '--spec-version', revision, '--resource', RESOURCE]
  const walks: Promise<unknown>[] = []
  const onLine = (line: string) => {
    if (line.startsWith(`${server.issuer}/authorize?`)) walks.push(walk(line))
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

async function register(redirectUri: string): Promise<string> {
  const response = await fetch(`${server.issuer}/register`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ client_name: 'Conformance suite', redirect_uris: [redirectUri] }),
  })
  const { client_id: clientId } = (await response.json()) as { client_id: string }
  return clientId
}
