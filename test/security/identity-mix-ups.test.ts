// Many users at the same time, each with several tokens: none is taken for another, whatever is kept of them meanwhile.
import { generateKeyPairSync } from 'node:crypto'
import { Agent, request as sendRequest } from 'node:http'
import { json } from 'node:stream/consumers'
import { decodeJwt } from 'jose'
import { expect, it } from 'vitest'
import { createCall, startStage } from '../support/stage.ts'

const USERS = 50
const CALLS = Number(process.env.IDENTITY_CALLS ?? 20_000)
const AT_A_TIME = 64

interface Caller {
  readonly name: string
  readonly scope: string
  readonly token: string
}

/** What the MCP server was told of who calls. */
interface Told {
  readonly user: string
  readonly team: string
  readonly scope: string
  readonly tool: unknown
}

it(`tells of ${CALLS} interleaved calls of ${USERS} users each time the right one`, async () => {
  const env = {
    IDENTITY_KEY: generateKeyPairSync('ec', { namedCurve: 'P-256' })
      .privateKey.export({ format: 'pem', type: 'pkcs8' })
      .toString(),
  }
  const identity = {
    key: { env: 'IDENTITY_KEY' },
    header: 'X-Caller',
    claims: ['team'],
    operation: true,
    headers: { 'X-Team': { claim: 'team' } },
  }
  const stage = await startStage({ env, server: { identity, rules: [] } })
  stage.answerWith(({ headers, body }, response) => {
    const {
      token_sub: user,
      scope,
      operations,
    } = decodeJwt<{ token_sub: string; scope: string; operations: { tool: string }[] }>(String(headers['x-caller']))
    const told: Told = { user, scope, team: String(headers['x-team']), tool: operations[0]?.tool }
    // Once the body is there: answers overtake each other.
    void body.then((text) => {
      const { id } = JSON.parse(text.toString()) as { id: number }
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, result: told }))
    })
  })
  const callers: Caller[] = []
  for (let index = 0; index < USERS; index += 1) {
    const name = `user-${index}`
    for (const scope of ['mcp:tools', 'extra mcp:tools'])
      callers.push({ name, scope, token: await stage.mint({ sub: name, team: `team of ${name}`, scope }) })
  }
  const agent = new Agent({ keepAlive: true, maxSockets: AT_A_TIME })
  const mixUps: unknown[] = []
  let next = 0
  const work = async (): Promise<void> => {
    for (let number = next++; number < CALLS; number = next++) {
      // Neighbours in time are different users, and each user's calls are spread over all connections.
      const caller = callers[(number * 37) % callers.length] as Caller
      const tool = `tool-${number % 7}`
      const expected: Told = { user: caller.name, team: `team of ${caller.name}`, scope: caller.scope, tool }
      const told = await call(stage.proxy.port, agent, caller.token, number, tool)
      if (JSON.stringify(sort(told)) !== JSON.stringify(sort(expected))) mixUps.push({ expected, told })
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, work))
  agent.destroy()
  await stage.close()
  expect(next).toBeGreaterThanOrEqual(CALLS)
  expect(mixUps).toEqual([])
}, 300_000)

const sort = (told: Told) => Object.entries(told).sort()

function call(port: number, agent: Agent, token: string, id: number, name: string): Promise<Told> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json' }
  return new Promise((resolve, reject) => {
    const request = sendRequest({ port, host: 'localhost', path: '/mcp', method: 'POST', agent, headers }, (response) =>
      json(response).then((body) => {
        const { result } = body as { result?: Told }
        if (result === undefined) reject(new Error(`${response.statusCode}: ${JSON.stringify(body)}`))
        else resolve(result)
      }, reject),
    )
    request.on('error', reject)
    request.end(JSON.stringify(createCall('tools/call', { name, arguments: {} }, id)))
  })
}
