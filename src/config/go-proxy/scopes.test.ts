import { describe, expect, it } from 'vitest'
import { translateScopes } from './scopes.ts'
import { createGoNotes } from './translation-notes.ts'

const paths = ['/sse', '/messages/', '/mcp']

function translate(value: unknown) {
  const notes = createGoNotes()
  const translation = translateScopes(value, ['scopes_supported'], paths, notes)
  return { ...translation, notes: notes.notices.map(({ key }) => key), problems: notes.problems.map(({ path }) => path) }
}

const nothing = { scopes: [], rules: [], notes: [], problems: [] }

describe('scopes_supported of the Go proxy', () => {
  it('may be missing or empty', () => {
    for (const value of [undefined, null, [], {}]) expect(translate(value)).toEqual(nothing)
  })

  it('as a list is what every request needs', () => {
    expect(translate(['mcp:read', 'mcp:use', 'mcp:read'])).toEqual({ ...nothing, scopes: ['mcp:read', 'mcp:use'] })
  })

  it('as one text is split at blanks and commas, as the Go proxy did', () => {
    expect(translate('a b, c').scopes).toEqual(['a', 'b', 'c'])
  })

  it('as a path map names request paths, methods and tools', () => {
    expect(
      translate({
        '/mcp': 'm',
        '/messages': 'n',
        '/resources/list': 'r',
        '/initialize': 'i',
        '/tools': 't',
        '/get-alerts': 'mcp_proxy',
      }),
    ).toEqual({
      scopes: [],
      rules: [
        { path: '/mcp', scopes: ['m'] },
        { path: '/messages/', scopes: ['n'] },
        { method: 'resources/list', scopes: ['r'] },
        { method: 'initialize', scopes: ['i'] },
        { method: 'tools/*', scopes: ['t'] },
        { tool: 'get-alerts', scopes: ['mcp_proxy'] },
      ],
      notes: ['scopes_supported["/messages"]', 'scopes_supported["/get-alerts"]'],
      problems: [],
    })
  })

  it('protects the messages path under the name that the README gave it', () => {
    expect(translate({ '/message': 'mcp_proxy:message' }).rules).toEqual([{ path: '/messages/', scopes: ['mcp_proxy:message'] }])
  })

  it('as a map of families is for all methods of a family; a whole method counts alone', () => {
    expect(translate({ tools: 'read:tools', 'prompts/get': ['a', 'b'], ping: 'p', custom: 'c' }).rules).toEqual([
      { method: 'tools/*', scopes: ['read:tools'] },
      { method: 'prompts/get', scopes: ['a', 'b'] },
      { method: 'ping', scopes: ['p'] },
      { method: 'custom', scopes: ['c'] },
      { method: 'custom/*', scopes: ['c'] },
    ])
  })

  it('adds the scopes of a family to those of its methods, and says so', () => {
    expect(translate({ tools: 'a', 'tools/list': 'b' })).toEqual({
      scopes: [],
      rules: [
        { method: 'tools/*', scopes: ['a'] },
        { method: 'tools/list', scopes: ['b'] },
      ],
      notes: ['scopes_supported'],
      problems: [],
    })
  })

  it('reads the template of a resource as the pattern of its URIs', () => {
    const { rules, notes } = translate([{ 'resources/read': [{ 'file:///x/{id}': 'r', 'file:///y/*': 's', '*': 't' }] }])
    expect(rules).toEqual([
      { resource: 'file:///x/*', scopes: ['r'] },
      { resource: 'file:///y/*', scopes: ['s'] },
      { resource: '**', scopes: ['t'] },
    ])
    expect(notes.join()).toContain('file:///x/{id}')
  })

  it('as a list of maps names methods, and tools, prompts and resources below them', () => {
    const value = [
      { initialize: 's' },
      { 'tools/call': [{ echo_tool: 's' }, { other: ['a', 'b'] }] },
      { 'prompts/get': [{ greeting: 'g' }] },
      { 'resources/read': [{ 'file:///x': 'r' }] },
      { 'tools/list': ['x', 'y'] },
    ]
    expect(translate(value)).toEqual({
      scopes: [],
      rules: [
        { method: 'initialize', scopes: ['s'] },
        { tool: 'echo_tool', scopes: ['s'] },
        { tool: 'other', scopes: ['a', 'b'] },
        { prompt: 'greeting', scopes: ['g'] },
        { resource: 'file:///x', scopes: ['r'] },
        { method: 'tools/list', scopes: ['x', 'y'] },
      ],
      notes: ['scopes_supported[3]["resources/read"]'],
      problems: [],
    })
  })

  it('may mix scopes and maps', () => {
    expect(translate(['base', { tools: 't' }])).toEqual({
      ...nothing,
      scopes: ['base'],
      rules: [{ method: 'tools/*', scopes: ['t'] }],
    })
  })

  it('leaves methods and tools open that it lists without a scope', () => {
    expect(translate({ tools: [], 'tools/call': [{ echo: '' }] }).rules).toEqual([])
  })

  it('never asks for offline_access', () => {
    expect(translate(['offline_access', 'a'])).toEqual({ ...nothing, scopes: ['a'], notes: ['scopes_supported[0]'] })
  })

  it.each([
    [7, 'scopes_supported'],
    [[7], 'scopes_supported[0]'],
    [{ tools: 7 }, 'scopes_supported.tools'],
    [{ tools: { echo: 7 } }, 'scopes_supported.tools.echo'],
    [{ 'tools/list': [{ echo: 's' }] }, 'scopes_supported["tools/list"]'],
    [{ 'tools/call': [{ echo: 's' }, 'x'] }, 'scopes_supported["tools/call"][1]'],
    [{ '/no such path': 's' }, 'scopes_supported["/no such path"]'],
  ])('is refused, not guessed at, where it cannot be understood: %j', (value, path) => {
    expect(translate(value).problems).toEqual([path])
  })
})
