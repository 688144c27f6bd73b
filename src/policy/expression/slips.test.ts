import { expect, it } from 'vitest'
import { findSlips } from './slips.ts'

it.each<[string, RegExp]>([
  ["args.path.startsWith('/srv/public/')", /`\.\.`.*!args\.path\.contains\('\.\.'\)/],
  ["args.path.glob('/srv/public/*')", /`\.\.`/],
  ["glob(args.path, '/srv/public/*')", /`\.\.`/],
  ["args.files.all(f, f.path.startsWith('file:///srv/'))", /`\.\.`.*!f\.path\.contains/],
  ["!args.path.startsWith('/etc/')", /`\.\.`/],
  ["args.url.startsWith('https://example.com')", /https:\/\/example\.com\.evil\.example.*'https:\/\/example\.com\/'/],
  ["args.url.startsWith('http://example.com')", /http:\/\/example\.com\.evil\.example/],
  ["args.to.endsWith('mail.example.com')", /evilmail\.example\.com/],
  ["args.to.endsWith('example.com')", /evilexample\.com.*'@example\.com'.*'\.example\.com'/],
  ["args.path == '/srv/*'", /letter by letter.*glob/],
  ["args.path != '/etc/*'", /letter by letter.*glob/],
  ["'/etc/*' != args.path", /letter by letter.* write glob\('\/etc\/\*'\)\.$/],
  ["!args.path.startsWith('/etc*')", /letter by letter.*glob/],
  ["args.name in ['a', 'get_*']", /letter by letter.* write glob\('get_\*'\)\.$/],
  ["'team-*' in principal.groups", /letter by letter.*exists/],
  ["args.path.glob('get_.*')", /no regular expression/],
  ["args.path.glob('get_[ab]')", /no regular expression/],
])('an expression that says something else than it seems to is told: %s', (expression, told) => {
  expect(findSlips(expression, 'require')).toEqual([expect.stringMatching(told)])
})

it.each([
  "args.path.startsWith('/srv/public/') && !args.path.contains('..')",
  "args.path == '/srv/public/a'",
  "args.path.startsWith('/')",
  "args.url.startsWith('https://example.com/')",
  "args.url.startsWith('https://')",
  "args.to.endsWith('@example.com')",
  "args.host.endsWith('.example.com')",
  "args.name.endsWith('_draft')",
  "args.text.contains('*')",
  "args.op == '*'",
  "args.name.glob('get_*')",
  "args.name.glob('v1.*')",
  "'finance' in principal.groups",
  "args.a.lowerAscii() == 'a' && args.b.contains('*x') && args.c > 1",
  "args.path.glob('/srv/a')",
  "args.url.endsWith('https://example.com')",
  "args.text.startsWith('see https://example.com')",
  "args.host.startsWith('example.com')",
  "args.url.endsWith('example.com/a')",
  "args.path.endsWith('/srv/')",
  "args.name.endsWith('.example.com')",
  "args.list.exists(email, email.startsWith('a'))",
  "args.claims.email == 'x' && args.claims.scope == 'y'",
  'args.kind in principal.groups',
])('and an ordinary one is not: %s', (expression) => {
  expect(findSlips(expression, 'require')).toEqual([])
})

it.each<[string, RegExp]>([
  ["principal.claims.email == 'a'", /principal\.claims\.email may be what the user typed/],
  ["principal.claims['email'] == 'a'", /principal\.claims\.email may be what the user typed/],
  ["principal.claims.scope.contains('write')", /principal\.claims\.scope has all scopes in one text/],
  ["principal.claims['scp'] == 'write'", /principal\.claims\.scp has all scopes in one text/],
])('a claim that says less than it seems to is told, of entries and of rules: %s', (expression, told) => {
  expect(findSlips(expression, 'who')).toEqual([expect.stringMatching(told)])
  expect(findSlips(expression, 'require')).toEqual([expect.stringMatching(told)])
})

it('each slip is told, and none twice', () => {
  const slips = findSlips(
    "args.a == 'x*' || args.a == 'x*' || args.a.endsWith('example.com') || principal.claims.email == 'a'",
    'require',
  )
  expect(slips).toEqual([
    expect.stringContaining('letter by letter'),
    expect.stringContaining('evilexample.com'),
    expect.stringContaining('email'),
  ])
})
