import { describe, expect, it } from 'vitest'
import { appendServer } from './append-server.ts'
import { readYaml } from './yaml-text.ts'

const server = { path: '/b', upstream: { command: ['npx', '-y', 'x'] } }

describe('adding a server to a file', () => {
  it('leaves every letter of the rest, and puts it behind the last server and its comments', () => {
    const head = '# mine\nissuers: [ https://idp.example.com ]   # two blanks\nservers:\n'
    const first = '  - path: /a # first\n    upstream: "http://localhost:1/a"\n    # scopes: [a]\n'
    const tail = '\n# about the log\nlog: { level: debug }\n'
    expect(appendServer(head + first + tail, server)).toBe(
      `${head}${first}  - path: /b\n    upstream:\n      command:\n        - npx\n        - -y\n        - x\n${tail}`,
    )
  })

  it.each([
    ['a list that is not indented', 'servers:\n- path: /a\n  upstream: x\nlog: {}\n'],
    ['no line break at the end', 'servers:\n  - path: /a\n    upstream: x'],
    ['Windows line breaks', 'servers:\r\n  - path: /a\r\n    upstream: x\r\nlog: {}\r\n'],
    ['a text of several lines at the end', 'servers:\n  - path: /a\n    name: |\n      a\n      b\n\nlog: {}\n'],
    ['brackets', '# mine\nservers: [{ path: /a, upstream: x }] # list\nlog: {} # end\n'],
    ['an anchor', 'x: &a { path: /a }\nservers:\n  - *a\nlog: {}\n'],
    ['JSON', '{\n  "servers": [{ "path": "/a", "upstream": "x" }],\n  "log": {}\n}\n'],
    ['no list yet', 'log: {}\n'],
  ])('works with %s', (_what, text) => {
    const before = readYaml(text).value as { servers?: unknown[] }
    const after = appendServer(text, server)
    expect(readYaml(after).value).toEqual({ ...before, servers: [...(before.servers ?? []), server] })
    for (const comment of text.match(/# .*/g) ?? []) expect(after).toContain(comment)
    if (text.startsWith('{')) expect(() => JSON.parse(after)).not.toThrow()
    if (text.includes('\r\n')) expect(after.replaceAll('\r\n', '')).not.toContain('\n')
  })
})
