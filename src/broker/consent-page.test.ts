import { describe, expect, it } from 'vitest'
import { type Question, renderConsentPage } from './consent-page.ts'

const EVIL = `<img src=x onerror='a'>"&`

function ask(changes: Partial<Question>): string {
  return renderConsentPage({
    asking: { clientName: 'A client', redirectUri: 'https://client.example/cb', publishedBy: undefined },
    server: { name: 'files', url: 'https://mcp.example.com/mcp' },
    scopes: [{ name: 'files:read', description: 'Read your files' }],
    refused: [],
    signedInAs: undefined,
    identityProvider: 'Example ID',
    formToken: 'token',
    ...changes,
  }).html
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
