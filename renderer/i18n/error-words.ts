/** The words for an error; the report uses the same. */
export { errorWords } from '../../shared/error-words.ts'
