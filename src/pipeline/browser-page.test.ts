import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStepGate, type StepGate } from '../../test/support/step.ts'

let gate: StepGate
beforeAll(async () => {
  gate = await openStepGate()
})
afterAll(() => gate.close())

const browser = ['Accept: text/html,application/xhtml+xml', 'Sec-Fetch-Mode: navigate']

describe('a person who opens an address in a browser', () => {
  it.each([
    ['/mcp', 401, 'This is an MCP server'],
    ['/', 404, 'An MCP server is here'],
  ])('is told at %s what it is, with the status and challenge of the refusal', async (path, status, title) => {
    const answer = await gate.sendLines([`GET ${path} HTTP/1.1`, ...browser])
    expect([answer.status, answer.header('content-type')]).toEqual([status, 'text/html; charset=utf-8'])
    expect(answer.body.toString()).toContain(`<h1>${title}</h1>`)
    expect(answer.header('content-security-policy')).toMatch(/^default-src 'none'/)
    expect(answer.header('www-authenticate') !== undefined).toBe(status === 401)
  })

  it.each([
    ['is no GET', ['POST /mcp HTTP/1.1', 'Content-Length: 0', ...browser]],
    ['accepts JSON', ['GET /mcp HTTP/1.1', 'Accept: text/html, application/json']],
    ['accepts events', ['GET /mcp HTTP/1.1', 'Accept: text/html, text/event-stream']],
    ['accepts anything', ['GET /mcp HTTP/1.1', 'Accept: */*']],
    ['has a token', ['GET /mcp HTTP/1.1', ...browser, 'Authorization: Basic YQ==']],
    ['is a fetch of a page', ['GET /mcp HTTP/1.1', 'Accept: text/html', 'Sec-Fetch-Mode: cors']],
    ['names another path', ['GET /elsewhere HTTP/1.1', ...browser]],
  ])('gets no page where the request %s', async (_, lines) => {
    expect((await gate.sendLines(lines)).header('content-type')).toBe('application/json')
  })
})
