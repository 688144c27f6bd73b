import { resolve } from 'node:path'
import type { StdioUpstreamPlan } from '../../core/plan/upstream-plan.ts'
import type { UpstreamConfig } from '../schema/server.ts'
import type { SecretsAndFiles } from '../source/secrets-and-files.ts'

/** An upstream with a command. */
export type ProcessConfig = UpstreamConfig & { readonly command: readonly string[] }

export function isProcess(upstream: UpstreamConfig | undefined): upstream is ProcessConfig {
  return upstream?.command !== undefined
}

/** Settles an upstream that is a process of ours. */
export function createProcessPlan(upstream: ProcessConfig, secretsAndFiles: SecretsAndFiles): StdioUpstreamPlan {
  const variables = Object.entries(upstream.env ?? {}).map(([name, value]) => {
    const secret = value.text === undefined ? secretsAndFiles.findSecret(value) : undefined
    return { name, value: value.text ?? secret ?? '', secret }
  })
  return {
    kind: 'stdio',
    command: [...upstream.command, ...(upstream.args ?? [])],
    workDir: upstream.work_dir === undefined ? undefined : resolve(secretsAndFiles.directory, upstream.work_dir),
    env: Object.fromEntries(variables.map(({ name, value }) => [name, value])),
    secrets: variables.flatMap(({ secret }) => (secret === undefined ? [] : [secret])),
    processPer: upstream.process_per ?? 'session',
    maxProcesses: upstream.max_processes ?? 50,
    idleSeconds: upstream.idle_seconds ?? 1800,
    startSeconds: upstream.start_timeout_seconds ?? 60,
    requestSeconds: upstream.request_timeout_seconds ?? 1800,
    maxMessageBytes: upstream.max_message_bytes ?? 16 * 1024 * 1024,
  }
}
