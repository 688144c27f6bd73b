import { expect, it } from 'vitest'
import { request } from '../../test/support/policies.ts'
import type { Operation } from '../core/operation.ts'
import { formatUnknownTarget } from './unknown-target.ts'

const complete = (targetKind: Operation['targetKind'], target: string): Operation => ({
  ...request('completion/complete', target),
  targetKind,
})
const prompt: Operation = { ...request('prompts/get', 'x'), targetKind: 'prompt' }
const notFound = (code: number) => ({ code, message: 'Resource not found', data: { uri: 'a://b' } })

it.each<[string, Operation, string, object]>([
  ['a tool', request('tools/call', 'x'), '2025-11-25', { code: -32602, message: 'Unknown tool: x' }],
  ['a tool of 2026-07-28', request('tools/call', 'x'), '2026-07-28', { code: -32602, message: 'Unknown tool: x' }],
  ['a prompt', prompt, '2025-11-25', { code: -32602, message: 'Unknown prompt: x' }],
  ['a prompt that is completed', complete('prompt', 'x'), '2025-11-25', { code: -32602, message: 'Unknown prompt: x' }],
  ['a resource', request('resources/read', 'a://b'), '2025-11-25', notFound(-32002)],
  ['a resource of 2024-11-05', request('resources/subscribe', 'a://b'), '2024-11-05', notFound(-32002)],
  ['a resource of 2026-07-28', request('resources/read', 'a://b'), '2026-07-28', notFound(-32602)],
  ['a template that is completed', complete('resource', 'a://b'), '2025-11-25', notFound(-32602)],
])('%s that does not exist is answered as MCP servers do', (_what, operation, revision, error) => {
  expect(JSON.parse(formatUnknownTarget(operation, revision))).toEqual(error)
})
