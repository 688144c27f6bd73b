import { realpathSync } from 'node:fs'
import type { ReloadReport } from '../../core/reload-report.ts'
import type { AdminAction } from '../admin-action.ts'
import { invalidInput, readMembers } from './read-members.ts'

export interface ReloadActionOptions {
  /** Absolute path of the file that this process runs; undefined where flags or the environment say everything. */
  readonly configurationFile: string | undefined
  readonly reload: () => Promise<ReloadReport>
}

/** Reads the configuration anew. Refuses where the operator means another file: it would seem to be in force. */
export function createReloadAction({ configurationFile, reload }: ReloadActionOptions): AdminAction {
  return async (input, caller) => {
    const { file } = readMembers(input, { file: 'text' })
    if (file !== undefined && !isSameFile(file, configurationFile))
      throw invalidInput(
        `it runs with ${configurationFile ?? 'flags or its environment'}, not with ${file}; nothing was reloaded`,
      )
    const report = await reload()
    if (report.outcome !== 'reloaded') caller.tellFailure(report.outcome)
    return { ...report, file: configurationFile }
  }
}

/** Also over links, such as those of mounted ConfigMaps. */
function isSameFile(file: string, own: string | undefined): boolean {
  return own !== undefined && (file === own || resolveLinks(file) === resolveLinks(own))
}

/** A path at which nothing can be found stands for itself. */
function resolveLinks(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
