/** Texts of the window: i18next with English built in. An unknown key is a compile error. */
import i18next, { type i18n } from 'i18next'
import { initReactI18next } from 'react-i18next'
import { en } from './en.ts'

declare module 'i18next' {
  interface CustomTypeOptions {
    resources: { translation: typeof en }
  }
}

export const texts: i18n = i18next.createInstance()

texts.use(initReactI18next)
// Resources are in the bundle, so this finishes before it returns.
void texts.init({
  lng: 'en',
  fallbackLng: 'en',
  resources: { en: { translation: en } },
  interpolation: { escapeValue: false },
  initAsync: false,
})
