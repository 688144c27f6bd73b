/** Runs before each test file. What it imports runs once in a process, which several files share. */
import { renewRsaKeys } from './rsa-keys.ts'
import { forgetSecrets } from './secrets-in-use.ts'
import './wait-patiently.ts'
import './watch-secrets.ts'

renewRsaKeys()
forgetSecrets()
