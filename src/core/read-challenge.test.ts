import { expect, it } from 'vitest'
import { findBearerChallenge } from './read-challenge.ts'

const read = (value: string | undefined) => {
  const found = findBearerChallenge(value)
  return found && Object.fromEntries(found.parameters)
}

it.each([
  ['Bearer', {}],
  ['bearer scope=files', { scope: 'files' }],
  [
    'Bearer resource_metadata="https://a.example/x?y=1,2", scope="a b"',
    { resource_metadata: 'https://a.example/x?y=1,2', scope: 'a b' },
  ],
  ['Basic realm="Bearer scope=no", Bearer error="insufficient_scope" , scope="c"', { error: 'insufficient_scope', scope: 'c' }],
  ['Bearer realm="a \\"quoted\\" scope=none", SCOPE="d"', { realm: 'a "quoted" scope=none', scope: 'd' }],
  ['Bearer scope="first", scope="second"', { scope: 'first' }],
])('reads the parameters of the bearer challenge in %s', (value, parameters) => {
  expect(read(value)).toEqual(parameters)
})

it.each([undefined, '', 'Basic realm="x"', 'DPoP algs="ES256"', `Bearer scope="${'a'.repeat(9000)}"`])(
  'finds no bearer challenge where there is none to rely on',
  (value) => {
    expect(read(value)).toBeUndefined()
  },
)
