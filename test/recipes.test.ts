import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { SIGN_IN_ERRORS } from '../src/broker/pages/sign-in-errors.ts'
import { loadConfigText } from '../src/config/load.ts'
import { errorCatalogue } from '../src/core/errors.ts'
import { createCertificate } from './support/certificate.ts'

const recipes = new URL('../docs/recipes/', import.meta.url).pathname
const pages = readdirSync(recipes).filter((name) => name.endsWith('.md'))
const directory = mkdtempSync(join(tmpdir(), 'recipes-'))
afterAll(() => rmSync(directory, { recursive: true }))

const read = (page: string) => readFileSync(join(recipes, page), 'utf8')

/** Whole configurations: what stands between three backticks and names servers. */
const configurations = pages.flatMap((page) =>
  [...read(page).matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = ''], index) => [`${page}, ${index + 1}`, text] as const),
)

/** Something for every environment variable that a configuration names. */
function createEnvironment(text: string): Record<string, string> {
  const names = [...text.matchAll(/\benv: (\w+)/g)].map(([, name = '']) => name)
  return Object.fromEntries(names.map((name) => [name, Buffer.alloc(32, `key ${name}`).toString('base64')]))
}

/** Something for every file with public keys. */
function writeKeys(text: string): void {
  const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
  for (const [, name = ''] of text.matchAll(/public_keys_file: (\S+)/g))
    writeFileSync(join(directory, name), JSON.stringify({ keys: [jwk] }))
}

/** Where Kubernetes puts the token and the authority of a pod. */
const POD_FILES = '/var/run/secrets/kubernetes.io/serviceaccount/'

/** The same configuration, with such files of ours. */
function placePodFiles(text: string): string {
  writeFileSync(join(directory, 'ca.crt'), createCertificate().cert)
  writeFileSync(join(directory, 'token'), 'of-the-pod')
  return text.replaceAll(POD_FILES, `${directory}/`)
}

describe('the configurations of the recipes', () => {
  it.each(configurations)('%s loads', (_, written) => {
    const text = placePodFiles(written)
    writeKeys(text)
    const { plan } = loadConfigText(text, { env: createEnvironment(text), directory, terminal: false })
    expect(plan.servers.length).toBeGreaterThan(0)
    expect(text).not.toMatch(/secret: (?!\{)/)
  })

  it('are there', () => {
    expect(configurations.length).toBeGreaterThan(12)
  })
})

describe('the Compose file of the recipe for Keycloak', () => {
  const page = read('keycloak.md')
  const compose = parse(/```yml\n([\s\S]*?)```/.exec(page)?.[1] ?? '')
  const configs = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)]
    .map(([, text = '']) => parse(text))
    .filter(({ public_url }) => public_url === 'http://localhost:8080')
  const { keycloak, proxy } = compose.services

  it.each(configs)(
    'has Keycloak at the two addresses of configuration %#',
    ({ identity_provider: provider, issuers, listen }) => {
      const [issuer] = issuers ?? [{ issuer: `${provider.base_url}/realms/${provider.realm}`, ...provider }]
      const { hostname, port, pathname } = new URL(issuer.metadata_url)
      expect(new URL(issuer.issuer).origin).toBe(keycloak.environment.KC_HOSTNAME)
      expect(keycloak.ports).toEqual([`127.0.0.1:${new URL(issuer.issuer).port}:${port}`])
      expect(Object.keys(compose.services)).toContain(hostname)
      expect(pathname).toBe(`${new URL(issuer.issuer).pathname}/.well-known/openid-configuration`)
      expect(proxy.ports).toEqual([`127.0.0.1:8080:${listen.port}`])
    },
  )

  it('is for both ways', () => {
    expect(configs).toHaveLength(2)
  })
})

describe('the pages of the recipes', () => {
  it.each(pages)('%s names errors as the proxy has them', (page) => {
    for (const [, code = '', says = ''] of read(page).matchAll(/^\| `([a-z_]+)` \| (".*?") \|/gm)) {
      expect(Object.keys(errorCatalogue)).toContain(code)
      // People see the titles of our pages, clients the messages of the catalogue.
      const titles = Object.values(SIGN_IN_ERRORS).filter((error) => error.code === code)
      const texts = [...titles.map(({ title }) => title), errorCatalogue[code as keyof typeof errorCatalogue].message]
      expect(texts.map((text) => `"${text}"`)).toContain(says)
    }
  })

  it.each(pages)('%s links to what is there', (page) => {
    for (const [, target = ''] of read(page).matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g))
      expect(existsSync(join(recipes, target)), target).toBe(true)
  })
})
