import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createNarrator } from '../../demo/narrator.ts'
import { type DemoServers, startServers } from '../../demo/servers.ts'
import { tellStory } from '../../demo/story.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'

const [alice, bob] = SAMPLE_USERS

const narrator = createNarrator({ isTTY: false, write: () => true }, {})

describe('the demo', () => {
  it.each([[[]], [['--broker']]])('shows every step, ends with 0 and writes no colours into a file (%j)', async (flags) => {
    const child = spawn(process.execPath, ['demo/main.ts', '--once', ...flags], {
      cwd: new URL('../..', import.meta.url),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    expect([errors, code]).toEqual(['', 0])
    expect(output).toContain('✓ Every step went as it should.')
    expect(output).not.toContain('\u001b')
    expect(output).not.toMatch(/eyJ[\w-]{10}/)
  })

  it('says what each user may have, and logs requests as the proxy does for people', { timeout: 60_000 }, async () => {
    const child = spawn(process.execPath, ['demo/main.ts'], {
      cwd: new URL('../..', import.meta.url),
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const exited = once(child, 'exit')
    try {
      const output = createInterface({ input: child.stdout })
      const told: string[] = []
      let url: string | undefined
      for await (const line of output) {
        told.push(line)
        url ??= /enter (http:\S+), connect/.exec(line)?.[1]
        if (line.includes('a line for each request')) await fetch(url ?? '', { method: 'POST' })
        if (line.includes('token_missing')) break
      }
      expect(told.at(-1)).toMatch(/INFO.*: POST \/mcp: refused: token_missing/)
      expect(told).toContainEqual(expect.stringMatching(/ alice .* may have mcp:tools$/))
      expect(told).toContainEqual(expect.stringMatching(/ bob .* may have mcp:tools, mcp:admin$/))
      expect(told).toContain('      Alice may use: echo, count_slowly')
      expect(told).toContain('      needs mcp:admin: admin_reset')
    } finally {
      child.kill('SIGTERM')
      await exited
    }
  })

  it('refuses flags that it does not know', async () => {
    const child = spawn(process.execPath, ['demo/main.ts', '--twice'], {
      cwd: new URL('../..', import.meta.url),
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const [errors, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
    expect(code).toBe(2)
    expect(errors).toContain('npm run demo -- --once')
  })
})

describe("the demo's story", () => {
  let servers: DemoServers
  beforeAll(async () => {
    servers = await startServers(new PassThrough().resume())
  })
  afterAll(() => servers.close())

  it('fails where the MCP server is not protected', async () => {
    await expect(tellStory({ ...servers, url: servers.upstreamUrl, alice, bob }, narrator)).rejects.toThrow(
      'connecting without a token',
    )
  })

  it('fails where a user cannot sign in', async () => {
    const stranger = { ...alice, password: 'wrong' }
    const stage = { ...servers, received: countFromNow(servers), alice: stranger, bob }
    await expect(tellStory(stage, narrator)).rejects.toThrow('Name or password is wrong')
  })

  it('fails where a token reaches the MCP server', async () => {
    const counted = countFromNow(servers)
    const received = {
      ...counted,
      withCredentials: 1,
      get requests() {
        return counted.requests
      },
    }
    await expect(tellStory({ ...servers, received, alice, bob }, narrator)).rejects.toThrow('the token must not have reached')
  })

  it('fails where the administrator may not grant the scope either', async () => {
    const stage = { ...servers, received: countFromNow(servers), alice, bob: alice }
    await expect(tellStory(stage, narrator)).rejects.toThrow('the token must hold the scope now')
  })
})

function countFromNow({ received }: DemoServers): DemoServers['received'] {
  const before = { ...received }
  return {
    get requests() {
      return received.requests - before.requests
    },
    get withCredentials() {
      return received.withCredentials - before.withCredentials
    },
  }
}

describe('the narrator', () => {
  const write = (isTTY: boolean, environment: NodeJS.ProcessEnv) => {
    const heard: string[] = []
    createNarrator({ isTTY, write: (piece) => heard.push(piece) }, environment).good('Done')
    return heard.join('')
  }

  it('uses colours on a terminal only, and never against the wish of its user', () => {
    expect(write(true, {})).toContain('\u001b[32m')
    expect(write(false, {})).not.toContain('\u001b')
    expect(write(true, { NO_COLOR: '1' })).not.toContain('\u001b')
    expect(write(true, { TERM: 'dumb' })).not.toContain('\u001b')
  })
})
