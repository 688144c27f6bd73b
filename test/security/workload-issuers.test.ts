// Issuers that strangers get tokens from, for any audience. Does a configuration that starts let such a token do anything?
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfigFile } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/problem/problem.ts'

const GITHUB = 'https://token.actions.githubusercontent.com'
const folder = mkdtempSync(join(tmpdir(), 'workload-issuers-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Paths of the mistakes that a configuration has. */
function load(config: object): readonly string[] {
  const file = join(folder, 'config.json')
  writeFileSync(file, JSON.stringify({ public_url: 'https://mcp.example.com', ...config }))
  try {
    loadConfigFile(file, { env: {}, terminal: false })
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map(({ path, reason }) => `${path}: ${reason.replace(/ (?:to )?(?:every|everybody)[\s\S]*/, '')}`)
  }
}

const listTexts = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text)

const server = { name: 'mcp', path: '/mcp', upstream: 'http://127.0.0.1:9/mcp' }
const all = { tools: ['*'] }

/** One server that accepts tokens of GitHub Actions, with an access entry. */
const withEntry = (entry: object, issuer: object = {}) =>
  load({ issuers: [{ issuer: GITHUB, ...issuer }], servers: [{ ...server, access: [{ ...all, ...entry }] }] })
const withWho = (who: string, issuer?: object) => withEntry({ who }, issuer)

describe('an access entry of a server that accepts tokens of GitHub Actions', () => {
  it.each<[string, object]>([
    ['everyone', { everyone: true }],
    ['a claim that any workflow has', { claim: 'iss', values: [GITHUB] }],
    ['the event, which its author chooses', { claim: 'event_name', values: ['schedule'] }],
    ['the branch, which its author names', { claim: 'ref', values: ['refs/heads/main'] }],
    ['the environment, which its author names', { claim: 'environment', values: ['prod'] }],
    [
      'a reusable workflow, which strangers call',
      { claim: 'job_workflow_ref', values: ['acme/ci/.github/workflows/x.yml@main'] },
    ],
    ['the user who set it off, and may do so in the repository of a stranger', { claim: 'actor', values: ['alice'] }],
    ['a subject of what its author chooses', { claim: 'sub', values: ['environment:prod'] }],
    ['a subject whose author chose the name of a part', { claim: 'sub', values: ['environment:repo'] }],
    ['such a subject with more parts', { claim: 'sub', values: ['environment:repo:ref:refs/heads/main'] }],
    ['such a subject after a part without a value', { claim: 'sub', values: ['pull_request:environment:repo:x'] }],
    ['a subject that ends before the owner', { claim: 'sub', values: ['environment:prod:repository_owner'] }],
    [
      'a subject, one value of which is chosen',
      { claim: 'sub', values: ['repo:acme/app:ref:refs/heads/main', 'environment:prod'] },
    ],
  ])('may not be for %s', (_name, entry) => {
    expect(withEntry(entry)).toEqual(['servers[0].access[0]: opens this'])
  })

  it.each([
    "principal.subject != ''",
    `principal.issuer == '${GITHUB}'`,
    `principal.issuer == '${GITHUB}/'`,
    `principal.issuer.startsWith('https://token.actions')`,
    "principal.subject.startsWith('repo:')",
    "principal.subject.contains('acme')",
    "principal.subject.contains('acme/app')",
    "principal.subject.endsWith(':ref:refs/heads/main')",
    "principal.subject.endsWith(':environment:prod')",
    "principal.subject.startsWith('repo:acme')",
    "principal.subject == 'environment:repo'",
    "glob(principal.subject, 'repo:*/app:*')",
    "glob(principal.subject, 'repo:acme*')",
    "glob(principal.subject, '*:environment:prod')",
    "glob(principal.claims.repository, '*/app')",
    "glob(principal.claims.repository, '*')",
    'has(principal.claims.repository)',
    "'repository' in principal.claims",
    "principal.claims.repository.endsWith('/app')",
    "principal.claims.repository.contains('acme/app')",
    "principal.claims.repository.startsWith('acme')",
    "principal.claims['repository'] != 'stranger/x'",
    "principal.claims.repository_owner < 'b'",
    "principal.claims.repository_owner > 'b'",
    'int(principal.claims.repository_id) > 5',
    'int(principal.claims.repository_owner_id) < 100000000',
    "principal.claims.event_name == 'schedule'",
    "principal.claims.event_name == 'schedule' || principal.claims.repository_owner == 'acme'",
    "principal.claims.repository_owner != 'evil'",
    "!(principal.claims.repository_owner == 'evil')",
    'size(principal.claims) > 5',
    "principal.claims.exists(name, name == 'repository')",
    "!('contractors' in principal.groups)",
    'principal.groups.size() == 0',
    "request.address.startsWith('10.')",
    "server == 'mcp'",
    "principal.client_id == 'nightly' || principal.subject != ''",
    "principal.claims.workflow == 'deploy' && principal.claims.ref == 'refs/heads/main'",
    // What cannot be seen to depend on an owner, whatever it says.
    'size(principal.claims.repository) > 3',
    'principal.claims.repository.size() == 8',
    "principal.claims.repository.startsWith('a' + 'cme')",
    "principal.claims.repository.endsWith('/' + 'app')",
    "principal.claims.repository + 'x' != 'acme/appx'",
    "principal.claims.repository.startsWith('a\\x63me')",
    "principal.claims.repository.contains('\\u0061cme')",
    'principal.claims.repository.contains(r"ac")',
    "principal.claims.repository == ''",
    "principal.claims.repository in ['acme/app', '']",
    'principal.claims.repository == principal.claims.environment',
    'principal.claims.environment in [principal.claims.repository]',
    "principal.claims.repository.startsWith('')",
    "principal.claims.repository.startsWith('/')",
    "principal.claims.repository_id.startsWith('12/')",
    "glob(principal.claims.repository, '*acme/*')",
    "['acme/app'].exists(name, name == 'acme/app' && principal.claims.ref != '')",
    "principal.claims.environment == 'prod' || principal.claims.repository == 'acme/app'",
    "principal.claims.repository == 'acme/app' ? principal.claims.ref == 'x' : principal.claims.environment == 'prod'",
    "!(principal.claims.repository == 'acme/app' || principal.claims.repository == 'acme/lib')",
    `principal.issuer == '${GITHUB}' ? true : principal.claims.repository == 'acme/app'`,
    "(principal.claims.repository == 'acme/app') == false",
    "[principal.claims.repository == 'acme/app'].size() == 1",
  ])('may not be for `%s`, which a stranger can meet', (who) => {
    expect(withWho(who)).toEqual(['servers[0].access[0]: opens this'])
  })

  it.each([
    "principal.claims.repository == 'acme/app'",
    "principal.claims.repository_owner == 'acme' && principal.claims.event_name == 'schedule'",
    "principal.claims['repository_owner_id'] == '74'",
    "principal.claims.repository in ['acme/app', 'acme/lib']",
    "principal.claims.repository.startsWith('acme/')",
    "principal.subject == 'repo:acme/app:environment:prod'",
    "principal.subject.startsWith('repo:acme/')",
    "glob(principal.subject, 'repo:acme/*:environment:prod')",
    "glob(principal.claims.repository, 'acme/*')",
    "'staff' in principal.groups",
    "principal.issuer == 'https://idp.example.com'",
    "principal.client_id == 'nightly'",
    "server == 'other-server' || principal.claims.repository == 'acme/app'",
    "'deploy' in principal.scopes",
    "principal.groups.exists(group, group.startsWith('staff'))",
    "'acme/app' == principal.claims.repository",
    'principal.claims.repository_owner_id == 74',
    "principal.claims.repository == 'acme/app' || (principal.issuer == 'https://idp.example.com' && principal.subject != '')",
    `principal.issuer == '${GITHUB}' || principal.issuer == '${GITHUB}/' ? principal.claims.repository == 'a/b' : true`,
    "['acme/app', 'acme/lib'].exists(name, principal.claims.repository == 'acme/app' && name != '')",
  ])('may be for `%s`, which no stranger meets', (who) => {
    expect(withWho(who)).toEqual([])
  })

  it('may be for a claim that names the owner, and for groups', () => {
    expect(withEntry({ claim: 'repository_owner_id', values: ['74'] })).toEqual([])
    expect(withEntry({ claim: 'sub', values: ['repo:acme/app:environment:prod'] })).toEqual([])
    expect(withEntry({ claim: 'sub', values: ['environment:prod:repository_owner:acme'] })).toEqual([])
    expect(withEntry({ groups: ['staff'] })).toEqual([])
    expect(
      withEntry({ everyone: undefined, claim: 'event_name', values: ['push'], who: "principal.claims.repository == 'a/b'" }),
    ).toEqual([])
  })

  it('may not be for groups or scopes that the settings of the issuer take from what its author chooses', () => {
    expect(withEntry({ groups: ['staff'] }, { groups_claim: 'environment' })).toEqual(['servers[0].access[0]: opens this'])
    expect(withWho("'staff' in principal.groups", { groups_claim: 'ref' })).toEqual(['servers[0].access[0]: opens this'])
    expect(withWho("'deploy' in principal.scopes", { scope_claims: ['ref'] })).toEqual(['servers[0].access[0]: opens this'])
    expect(withWho("'deploy' in principal.scopes", { grant: [{ scopes: ['deploy'] }] })).toEqual([
      'servers[0].access[0]: opens this',
    ])
    const grant = [{ claim: 'repository', values: ['acme/app'], scopes: ['deploy'] }]
    expect(withWho("'deploy' in principal.scopes", { grant })).toEqual([])
  })
})

describe('groups of strangers', () => {
  const GITLAB = 'https://gitlab.com'
  const MICROSOFT = 'https://login.microsoftonline.com/organizations/v2.0'
  const GOOGLE = 'https://accounts.google.com'

  const withGroups = (issuer: object, entry: object) =>
    load({ issuers: [issuer], servers: [{ ...server, access: [{ ...all, ...entry }] }] })

  it.each<[object, object]>([
    [{ issuer: GITLAB, groups_claim: 'groups_direct' }, { who: "principal.groups.exists(g, g.startsWith('acme'))" }],
    [{ issuer: GITLAB, groups_claim: 'groups_direct' }, { who: 'size(principal.groups) > 0' }],
    [{ issuer: GITLAB, groups_claim: 'groups_direct' }, { who: "!('acme' in principal.groups)" }],
    [{ issuer: GITLAB, groups_claim: 'groups_direct' }, { who: "'' in principal.groups" }],
    [{ issuer: GITLAB }, { who: 'size(principal.groups) > 0' }],
    [{ issuer: GITHUB, groups_claim: 'repository_owner' }, { who: "principal.groups.exists(g, g.startsWith('acme'))" }],
    [{ issuer: GITHUB, groups_claim: 'repository_owner' }, { who: "principal.groups[0] != 'evil'" }],
    [{ issuer: GITHUB, groups_claim: 'repository', groups_separator: '/' }, { who: "'app' in principal.groups" }],
    [{ issuer: GITHUB, groups_claim: 'repository', groups_separator: '/' }, { groups: ['app'] }],
    [{ issuer: GITHUB, groups_claim: 'sub' }, { groups: ['environment:prod'] }],
    [{ issuer: MICROSOFT }, { who: 'size(principal.groups) > 0' }],
    [{ issuer: MICROSOFT }, { who: "'finance' in principal.groups" }],
    [{ issuer: MICROSOFT }, { groups: ['finance'] }],
    [{ issuer: GOOGLE, groups_claim: 'email' }, { groups: ['bob@acme.com'] }],
    [{ issuer: GOOGLE, groups_claim: 'email' }, { who: "'bob@acme.com' in principal.groups" }],
    [{ issuer: GOOGLE }, { who: '!has(principal.groups)' }],
  ])('open an entry of %j to them: %j', (issuer, entry) => {
    expect(withGroups(issuer, entry)).toEqual(['servers[0].access[0]: opens this'])
  })

  it.each<[object, object]>([
    [{ issuer: GITLAB, groups_claim: 'groups_direct' }, { who: "'acme' in principal.groups" }],
    [{ issuer: GITLAB, groups_claim: 'groups_direct' }, { groups: ['acme', 'acme/ops'] }],
    [{ issuer: GITLAB }, { groups: ['acme'] }],
    [{ issuer: GITHUB, groups_claim: 'repository_owner' }, { who: "'acme' in principal.groups" }],
    [{ issuer: GITHUB, groups_claim: 'repository_owner' }, { groups: ['acme'] }],
    [{ issuer: MICROSOFT }, { groups: ['finance'], claim: 'tid', values: ['0b0a'] }],
    [{ issuer: MICROSOFT, groups_claim: 'tid' }, { groups: ['0b0a'] }],
    [{ issuer: GOOGLE }, { groups: ['staff'] }],
    [{ issuer: GOOGLE }, { who: "'staff' in principal.groups" }],
  ])('are none of those that an entry of %j names: %j', (issuer, entry) => {
    expect(withGroups(issuer, entry)).toEqual([])
  })
})

describe('scopes of strangers', () => {
  const chosen = { claim: 'environment', values: ['prod'], scopes: ['deploy'] }
  const owned = { claim: 'repository', values: ['acme/app'], scopes: ['release'] }

  it.each([
    ["!('deploy' in principal.scopes)", [chosen]],
    ['size(principal.scopes) == 0', [chosen]],
    ["'deploy' in principal.scopes", [chosen, owned]],
    ["principal.scopes == ['read']", [{ scopes: ['read'] }, chosen]],
    ["principal.scopes == ['read', 'list']", [{ scopes: ['read'] }, { scopes: ['list', 'read'] }]],
    ["!('release' in principal.scopes)", [chosen, owned]],
  ])('can meet `%s` where grants depend on what they choose, or on nothing: %j', (who, grant) => {
    expect(withWho(who, { grant })).toEqual(['servers[0].access[0]: opens this'])
  })

  it.each([
    ["'release' in principal.scopes", [chosen, owned]],
    ["'other' in principal.scopes && 'deploy' in principal.scopes", [chosen]],
    ["!('read' in principal.scopes)", [{ scopes: ['read'] }, owned]],
    ['size(principal.scopes) > 1', [{ scopes: ['read'] }, { scopes: ['read'] }, owned]],
  ])('are none that `%s` asks for: %j', (who, grant) => {
    expect(withWho(who, { grant })).toEqual([])
  })
})

describe('where the entries stand', () => {
  const narrow = { ...all, claim: 'repository', values: ['acme/app'] }
  const open = { ...all, everyone: true }

  it('at the top and at the server is the same, and one that is open is enough to be refused, told once', () => {
    const servers = [
      { ...server, access: [narrow] },
      { ...server, name: 'b', path: '/b' },
    ]
    expect(load({ issuers: [GITHUB], access: [narrow, open], servers })).toEqual(['access[1]: opens this'])
    expect(load({ issuers: [GITHUB], access: [narrow], servers: [{ ...server, access: [open] }] })).toEqual([
      'servers[0].access[0]: opens this',
    ])
    expect(load({ issuers: [GITHUB], access: [narrow], servers })).toEqual([])
  })

  it('is no matter where the server does not accept tokens of that issuer', () => {
    const servers = [{ ...server, issuers: ['https://idp.example.com'], access: [open] }]
    expect(load({ issuers: [GITHUB], servers })).toEqual([])
  })

  it('counts for nothing in shadow mode, or where there are none', () => {
    for (const more of [{ access: [narrow], access_mode: 'shadow' }, {}, { scopes: [] }])
      expect(load({ issuers: [GITHUB], servers: [{ ...server, ...more }] })).toEqual(['issuers[0]: lets in'])
    expect(load({ issuers: [GITHUB], access: [narrow], access_mode: 'shadow', servers: [server] })).toEqual([
      'issuers[0]: lets in',
    ])
    expect(
      load({ issuers: [GITHUB], access: [narrow], access_mode: 'shadow', servers: [{ ...server, access_mode: 'enforce' }] }),
    ).toEqual([])
  })
})

describe('base scopes', () => {
  const based = (issuer: object, more: object = {}) =>
    load({ issuers: [{ issuer: GITHUB, ...issuer }], servers: [{ ...server, scopes: ['mcp:tools'], ...more }] })
  const rule = (claim: string, value: string) => ({ claim, values: [value], scopes: ['mcp:tools'] })

  it('keep strangers out where `grant` gives them to owners alone, whatever `access` says then', () => {
    expect(based({ grant: [rule('repository', 'acme/app')] })).toEqual([])
    expect(based({ grant: [rule('repository', 'acme/app')] }, { access: [{ ...all, everyone: true }] })).toEqual([])
    expect(based({})).toEqual([])
  })

  it.each<[string, object]>([
    ['to all', { grant: [{ scopes: ['mcp:tools'] }] }],
    ['by a claim that strangers choose', { grant: [rule('environment', 'prod')] }],
    ['to some, and to strangers', { grant: [rule('repository', 'acme/app'), rule('ref', 'refs/heads/main')] }],
    ['by claims of scopes that strangers choose', { scope_claims: ['environment'] }],
  ])('keep no stranger out where `grant` gives them %s', (_name, issuer) => {
    expect(based(issuer)).toEqual(['issuers[0]: lets in'])
  })
})

describe('issuers that strangers get tokens from', () => {
  const SHARED = [
    ...['https://gitlab.com', 'https://gitlab.com/', 'https://agent.buildkite.com', 'https://app.terraform.io'],
    ...['https://app.eu.terraform.io', 'https://oidc.codefresh.io', 'https://oidc.vercel.com', 'https://accounts.google.com'],
    'https://login.microsoftonline.com/common/v2.0',
    'https://login.microsoftonline.com/organizations/v2.0',
    'https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0',
  ]
  it.each(SHARED)('are known: %s', (issuer) => {
    expect(load({ issuers: [issuer], servers: [server] })).toEqual(['issuers[0]: lets in'])
    const open = [{ ...all, everyone: true }]
    expect(load({ issuers: [issuer], servers: [{ ...server, access: open }] })).toEqual(['servers[0].access[0]: opens this'])
  })

  it.each([
    'https://token.actions.githubusercontent.com/acme',
    'https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc',
    'https://oidc.circleci.com/org/0b0a-0001',
    'https://acme.eu.auth0.com/',
    'https://acme.okta.com/oauth2/default',
    'https://login.microsoftonline.com/0b0a0001-0000-4000-8000-000000000000/v2.0',
    'https://oidc.eks.eu-west-1.amazonaws.com/id/ABC',
    'https://gitlab.example.com',
  ])('are not those of one tenant: %s', (issuer) => {
    expect(load({ issuers: [issuer], servers: [server] })).toEqual([])
  })

  it.each<[string, object, readonly string[]]>([
    ['https://accounts.google.com', { claim: 'email', values: ['bob@acme.com'] }, []],
    ['https://accounts.google.com', { claim: 'email_domain', values: ['acme.com'] }, []],
    ['https://accounts.google.com', { claim: 'email_domain', values: ['gmail.com'] }, ['servers[0].access[0]: opens this']],
    ['https://accounts.google.com', { claim: 'hd', values: ['acme.com'] }, []],
    ['https://accounts.google.com', { who: "principal.claims.google.compute_engine.project_id == 'acme-prod'" }, []],
    [
      'https://accounts.google.com',
      { who: "principal.claims.google.compute_engine.zone == 'eu'" },
      ['servers[0].access[0]: opens this'],
    ],
    ['https://accounts.google.com', { claim: 'email_verified', values: ['true'] }, ['servers[0].access[0]: opens this']],
    ['https://gitlab.com', { claim: 'namespace_path', values: ['acme'] }, []],
    ['https://gitlab.com', { who: "principal.subject.startsWith('project_path:acme/app:')" }, []],
    ['https://gitlab.com', { claim: 'ref_protected', values: ['true'] }, ['servers[0].access[0]: opens this']],
    ['https://gitlab.com', { claim: 'user_login', values: ['alice'] }, ['servers[0].access[0]: opens this']],
    ['https://agent.buildkite.com', { claim: 'organization_slug', values: ['acme'] }, []],
    ['https://agent.buildkite.com', { who: "principal.subject.startsWith('organization:acme:')" }, []],
    [
      'https://agent.buildkite.com',
      { who: "principal.subject.startsWith('organization:acme')" },
      ['servers[0].access[0]: opens this'],
    ],
    ['https://agent.buildkite.com', { claim: 'pipeline_slug', values: ['deploy'] }, ['servers[0].access[0]: opens this']],
    ['https://app.terraform.io', { claim: 'terraform_organization_name', values: ['acme'] }, []],
    ['https://app.terraform.io', { claim: 'terraform_workspace_name', values: ['prod'] }, ['servers[0].access[0]: opens this']],
    ['https://login.microsoftonline.com/common/v2.0', { claim: 'tid', values: ['0b0a'] }, []],
    [
      'https://login.microsoftonline.com/common/v2.0',
      { who: "principal.client_id == 'an application that users of any organization sign in to'" },
      ['servers[0].access[0]: opens this'],
    ],
    ['https://login.microsoftonline.com/common/v2.0', { who: "principal.claims.tid == '0b0a'" }, []],
    [
      'https://accounts.google.com',
      { who: "principal.client_id == '1234.apps.googleusercontent.com'" },
      ['servers[0].access[0]: opens this'],
    ],
    [
      'https://accounts.google.com',
      { claim: 'azp', values: ['1234.apps.googleusercontent.com'] },
      ['servers[0].access[0]: opens this'],
    ],
    ['https://accounts.google.com', { who: "principal.claims.email == 'bob@acme.com'" }, ['servers[0].access[0]: opens this']],
    [
      'https://accounts.google.com',
      { who: "principal.claims.email == 'bob@acme.com' || principal.claims.email_verified == true" },
      ['servers[0].access[0]: opens this'],
    ],
    [
      'https://accounts.google.com',
      { who: "principal.claims.email == 'bob@acme.com' && principal.claims.email_verified == false" },
      ['servers[0].access[0]: opens this'],
    ],
    [
      'https://accounts.google.com',
      { who: "principal.claims.email == 'bob@acme.com' && principal.claims.email_verified == true" },
      [],
    ],
    ['https://accounts.google.com', { who: "principal.subject == '1234' && principal.client_id != ''" }, []],
    ['https://accounts.google.com', { who: "principal.client_id != 'blocked'" }, ['servers[0].access[0]: opens this']],
    ['https://accounts.google.com', { who: "principal.claims.email_domain == 'acme.com'" }, []],
    [
      'https://accounts.google.com',
      { who: "principal.claims.email_domain == 'gmail.com'" },
      ['servers[0].access[0]: opens this'],
    ],
    ['https://accounts.google.com', { who: "principal.claims.email.startsWith('acme/')" }, ['servers[0].access[0]: opens this']],
    ['https://accounts.google.com', { who: "principal.subject.startsWith('1')" }, ['servers[0].access[0]: opens this']],
    ['https://gitlab.com', { who: "'acme' in principal.claims.groups_direct" }, []],
    ['https://gitlab.com', { who: "principal.claims.project_path.startsWith('acme/')" }, []],
    [
      'https://login.microsoftonline.com/common/v2.0',
      { claim: 'preferred_username', values: ['a@b.c'] },
      ['servers[0].access[0]: opens this'],
    ],
  ])('know whom their claims name: %s %j', (issuer, entry, expected) => {
    expect(load({ issuers: [issuer], servers: [{ ...server, access: [{ ...all, ...entry }] }] })).toEqual(expected)
  })

  it('have the claims that the documentation lists', () => {
    const page = readFileSync(new URL('../../docs/recipes/workloads.md', import.meta.url), 'utf8')
    const rows = [...page.matchAll(/^\| (`https:[^|]+) \| (`sub`[^|]+) \|$/gm)]
    const pairs = rows.flatMap(([, issuers = '', claims = '']) =>
      listTexts(issuers).flatMap((issuer) => listTexts(claims).map((claim) => [issuer, claim] as const)),
    )
    expect(pairs.length).toBeGreaterThan(30)
    const values = ['repo:a:project_path:a:organization:a:account:a:owner:acme.com']
    const refused = pairs.filter(([issuer, claim]) => {
      if (claim.startsWith('google.') || load({ issuers: [issuer], servers: [server] }).length === 0)
        return !claim.startsWith('google.')
      return load({ issuers: [issuer], servers: [{ ...server, access: [{ ...all, claim, values }] }] }).length > 0
    })
    expect(refused).toEqual([])
  })

  it('say what to write', () => {
    const file = join(folder, 'config.json')
    writeFileSync(file, JSON.stringify({ public_url: 'https://mcp.example.com', issuers: [GITHUB], servers: [server] }))
    expect(() => loadConfigFile(file, { env: {}, terminal: false })).toThrow(
      /every workflow on GitHub[\s\S]*"sub", "repository" or another claim/,
    )
  })
})
