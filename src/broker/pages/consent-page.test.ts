import { describe, expect, it } from 'vitest'
import { describeScope, type Question, renderConsentPage, renderPartialPage } from './consent-page.ts'
import { renderPage } from './page.ts'

const EVIL = `<img src=x onerror='a'>"&`

function ask(changes: Partial<Question>): string {
  return renderPage(
    renderConsentPage({
      asking: { clientName: 'A client', redirectUri: 'https://client.example/cb', publishedBy: undefined },
      server: { name: 'files', url: 'https://mcp.example.com/mcp' },
      scopes: [{ name: 'files:read', description: 'Read your files' }],
      refused: [],
      signedInAs: undefined,
      identityProvider: 'Example ID',
      formToken: 'token',
      ...changes,
    }),
  ).html
}

const asking = { clientName: 'A client', redirectUri: 'https://client.example/cb', publishedBy: 'client.example' }

describe('the consent page', () => {
  it.each<[string, Partial<Question>]>([
    ['the name of the client', { asking: { ...asking, clientName: EVIL } }],
    ['the host that publishes it', { asking: { ...asking, publishedBy: EVIL } }],
    ['where the user is sent back to', { asking: { ...asking, redirectUri: EVIL } }],
    ['the name of the server', { server: { name: EVIL, url: 'https://mcp.example.com/mcp' } }],
    ['the address of the server', { server: { name: 'files', url: EVIL } }],
    ['a scope', { scopes: [{ name: EVIL, description: 'x' }] }],
    ['the description of a scope', { scopes: [{ name: 'x', description: EVIL }] }],
    ['a scope that the user may not have', { refused: [{ name: EVIL, description: EVIL }] }],
    ['the name of the user', { signedInAs: EVIL }],
    ['the name of the identity provider', { identityProvider: EVIL }],
    ['the token of the form', { formToken: EVIL }],
  ])('shows as text, whatever it is: %s', (_what, changes) => {
    const html = ask(changes)
    expect(html).toContain('onerror=')
    expect(html).not.toMatch(/<img|='a'|"&(?!#)/)
  })
})

describe('the page after a sign-in that brought less than was asked for', () => {
  it('says what the application does not get, and leads on by itself once that could be read', () => {
    const refused = [{ name: 'files:write', description: 'Change your files' }]
    const { html } = renderPage(renderPartialPage('A client', refused, 'https://mcp.example.com/x?a&b'))
    expect(html).toContain('Your account does not have these permissions, so they were not granted to A client:')
    expect(html).toContain('<li>Change your files <code class="quiet">files:write</code></li>')
    expect(html).toMatch(/http-equiv="refresh" content="[1-9]\d*;url=https:\/\/mcp\.example\.com\/x\?a&#38;b"/)
    expect(html).toContain('href="https://mcp.example.com/x?a&#38;b"')
  })

  it('shows names as text', () => {
    const { html } = renderPage(renderPartialPage(EVIL, [{ name: EVIL, description: EVIL }], EVIL))
    expect(html).not.toMatch(/<img|='a'|"&(?!#)/)
  })
})

describe('a scope', () => {
  it('is shown in the words of the configuration, and by its name where there are none', () => {
    expect(describeScope('a', { a: 'Do it' })).toEqual({ name: 'a', description: 'Do it' })
    expect(describeScope('toString', {})).toEqual({ name: 'toString', description: 'Use the permission that the server calls' })
    expect(describeScope('mcp', {}).description).toBe('Use its tools, resources and prompts on your behalf')
  })
})
