/**
 * Tells zod not to compile parsers with `new Function`, which a strict Content-Security-Policy forbids (zod's mere
 * attempt is reported as a violation). Import it before anything that makes a schema.
 */
import { z } from 'zod'

z.config({ jitless: true })
