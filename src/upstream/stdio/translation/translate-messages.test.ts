import { describe, expect, it } from 'vitest'
import { findMissingCapability } from './translate-messages.ts'

const url = { mode: 'url', url: 'https://example.com' }

describe('what a client may be asked', () => {
  it.each([
    ['elicitation/create', {}, { elicitation: {} }, undefined],
    ['elicitation/create', { mode: 'form' }, { elicitation: { form: {}, url: {} } }, undefined],
    ['elicitation/create', {}, { elicitation: { url: {} } }, { elicitation: { form: {} } }],
    ['elicitation/create', { mode: 'form' }, { elicitation: { url: {} } }, { elicitation: { form: {} } }],
    ['elicitation/create', url, { elicitation: { url: {} } }, undefined],
    ['elicitation/create', url, { elicitation: {} }, { elicitation: { url: {} } }],
    ['sampling/createMessage', {}, { sampling: {} }, undefined],
    ['sampling/createMessage', { tools: [] }, { sampling: {} }, { sampling: { tools: {} } }],
    ['sampling/createMessage', { toolChoice: {} }, { sampling: {} }, { sampling: { tools: {} } }],
    ['sampling/createMessage', { tools: [] }, { sampling: { tools: {} } }, undefined],
    ['roots/list', {}, { sampling: {} }, { roots: {} }],
    ['roots/list', {}, { roots: {} }, undefined],
  ])('%s %j with %j lacks %j', (method, params, capabilities, missing) => {
    expect(findMissingCapability({ method, params }, capabilities)).toEqual(missing)
  })
})
