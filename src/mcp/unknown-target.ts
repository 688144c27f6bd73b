import type { Operation } from '../core/operation.ts'
import { isModernRevision } from './revision.ts'

/** `Invalid params` of JSON-RPC. */
const INVALID_PARAMS = -32602
/** 2025-11-25 and earlier: "Resource not found: -32002" (server/resources, Error Handling). */
const RESOURCE_NOT_FOUND = -32002

/**
 * The JSON-RPC error that MCP servers answer for a name that does not exist, in JSON.
 *
 * - tools: `-32602`, `Unknown tool: NAME` (server/tools, Error Handling)
 * - prompts: "Invalid prompt name: -32602" (server/prompts, Error Handling)
 * - resources: `-32002`, from 2026-07-28 on `-32602` (server/resources, Error Handling)
 * - what is completed: `-32602` always (server/utilities/completion, Error Handling)
 */
export function formatUnknownTarget({ method, targetKind, target = '' }: Operation, revision: string): string {
  if (targetKind === 'tool') return JSON.stringify({ code: INVALID_PARAMS, message: `Unknown tool: ${target}` })
  if (targetKind === 'prompt') return JSON.stringify({ code: INVALID_PARAMS, message: `Unknown prompt: ${target}` })
  const code = isModernRevision(revision) || method === 'completion/complete' ? INVALID_PARAMS : RESOURCE_NOT_FOUND
  return JSON.stringify({ code, message: 'Resource not found', data: { uri: target } })
}
