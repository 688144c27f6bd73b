// Users connect accounts at a FastMCP server that has its own OAuth proxy; both generations of the official TypeScript client.
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createOAuthClient } from '../../demo/oauth-client.ts'
import { type AuthorizationServer, startAuthorizationServer } from '../../src/sandbox/authorization-server.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { type AccountStage, startAccountStage } from '../support/account-stage.ts'
import { findFreePort } from '../support/free-port.ts'
import { connectSdkClient, type Generation } from '../support/sdk-clients.ts'
import { findPython, type PythonProgram, startPythonProgram } from './python-server.ts'

const [alice] = SAMPLE_USERS
const SCRIPT = fileURLToPath(new URL('./python/oauth_proxy_server.py', import.meta.url))
const CLIENT_ID = 'the-fastmcp-server'
const CLIENT_SECRET = 'secret-of-the-fastmcp-server-0123456789'

const python = findPython('fastmcp')
let authorizationServer: AuthorizationServer
let server: PythonProgram
let stage: AccountStage

beforeAll(async () => {
  if (python === undefined) return
  const port = await findFreePort()
  const redirect_uris = [`http://127.0.0.1:${port}/auth/callback`]
  const client = {
    client_id: CLIENT_ID,
    client_secret: CLIENT_SECRET,
    token_endpoint_auth_method: 'client_secret_basic' as const,
  }
  authorizationServer = await startAuthorizationServer({ clients: [{ ...client, redirect_uris }] })
  const url = `http://127.0.0.1:${port}/mcp`
  authorizationServer.addResource(url)
  server = await startPythonProgram(python, [SCRIPT, String(port)], {
    ISSUER: authorizationServer.issuer,
    CLIENT_ID,
    CLIENT_SECRET,
  })
  stage = await startAccountStage(url, { credential: { scopes: ['mcp:tools'] } })
})
afterAll(async () => {
  await stage?.close()
  await server?.close()
  await authorizationServer?.close()
})

describe.skipIf(python === undefined)('a FastMCP server with its own OAuth proxy', () => {
  it.each(['v1', 'v2 legacy', 'v2 auto'] satisfies Generation[])(
    'gets the token for the account that the user of a client of the SDK (%s) has connected',
    async (generation) => {
      const oauth = createOAuthClient({ name: 'SDK client', redirectUri: 'http://localhost:50125/callback' })
      const client = await connectSdkClient({ generation, transport: 'streamable', url: stage.url, oauth, user: alice })
      expect(await client.listTools()).toContain('echo_tool')
      expect(await client.callTool('echo_tool', { message: 'hello' })).toBe('Tool echo: hello')
      await client.close()
    },
  )
})
