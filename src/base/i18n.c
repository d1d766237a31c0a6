/* Locale and translations.  The program speaks UTF-8 only; what the environment says about the
 * language is followed even where that locale is not installed. */
#include "config.h"

#include "src/base/i18n.h"

#include <langinfo.h>
#if ENABLE_NLS
#include <libintl.h>
#endif
#include <locale.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "src/base/attributes.h"
#include "src/base/buf.h"
#include "src/base/catalogue.h"
#include "src/base/path.h"

static const char UTF8_LOCALE[] = "C.UTF-8";

static bool is_utf8_name(const char *codeset)
{
    return strncasecmp(codeset, "UTF-8", 5) == 0 || strncasecmp(codeset, "UTF8", 4) == 0;
}

/* What the environment asks for in one category; "" when it asks for nothing or for plain C. */
static const char *wanted(const char *category)
{
    const char *const names[] = { "LC_ALL", category, "LANG" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = path_env(names[i]);

        if (value)
            return strcmp(value, "C") == 0 || strcmp(value, "POSIX") == 0 ? "" : value;
    }
    return "";
}

static bool set_characters(Error *err)
{
    const char *name = wanted("LC_CTYPE"), *dot = strchr(name, '.');

    if (*name && setlocale(LC_CTYPE, name)) {
        if (is_utf8_name(nl_langinfo(CODESET)))
            return true;
        return error_set(err, ERR_USAGE,
                         _("the locale %s uses %s: kaiwa needs UTF-8; set LANG=ja_JP.UTF-8 or "
                           "LC_ALL=C.UTF-8"),
                         name, nl_langinfo(CODESET));
    }
    if (dot && !is_utf8_name(dot + 1))
        return error_set(err, ERR_USAGE,
                         _("the locale %s uses %s: kaiwa needs UTF-8; set LANG=ja_JP.UTF-8 or "
                           "LC_ALL=C.UTF-8"),
                         name, dot + 1);
    if (setlocale(LC_CTYPE, UTF8_LOCALE) || setlocale(LC_CTYPE, "en_US.UTF-8"))
        return true;
    return error_set(err, ERR_SYSTEM,
                     _("no UTF-8 locale is installed: install one (C.UTF-8 comes with libc-bin)"));
}

/* gettext looks at LANGUAGE only outside the C locale, and at the name of the locale only when it
 * is installed; both are put right here, before any thread runs. */
static void set_messages(void)
{
    const char *name = wanted("LC_MESSAGES");
    size_t len = strcspn(name, ".@");

    if (*name && setlocale(LC_MESSAGES, name))
        return;
    setlocale(LC_MESSAGES, UTF8_LOCALE);
    if (len && strncmp(name, "C", len) != 0 && !path_env("LANGUAGE")) {
        Buf language = BUF_INIT;

        buf_append(&language, name, len);
        setenv("LANGUAGE", buf_cstr(&language), 1);
        buf_release(&language);
    }
}

#if ENABLE_NLS
/* Of the language wanted, where gettext would give none: see catalogue.h. */
static Catalogue catalogue = CATALOGUE_INIT;

const char *i18n_text(const char *text)
{
    const char *found = catalogue_find(&catalogue, text);

    return found ? found : gettext(text);
}

const char *i18n_plural(const char *one, const char *many, unsigned long n)
{
    const char *found = catalogue_find_plural(&catalogue, one, n);

    return found ? found : ngettext(one, many, n);
}

static void load_catalogue(const char *folder)
{
    const char *active = setlocale(LC_MESSAGES, NULL), *languages = path_env("LANGUAGE");

    catalogue_release(&catalogue);
    if (languages && active && active[0] == 'C' && (active[1] == '\0' || active[1] == '.'))
        catalogue_load(&catalogue, folder, languages, PACKAGE);
}

/* Translations that lie beside the program win over installed ones: that is the build tree. */
static void bind_messages(void)
{
    Buf dir = BUF_INIT;
    const char *folder = path_beside_program(&dir, "locale") ? buf_cstr(&dir) : LOCALEDIR;

    bindtextdomain(PACKAGE, folder);
    load_catalogue(folder);
    bind_textdomain_codeset(PACKAGE, "UTF-8");
    textdomain(PACKAGE);
    buf_release(&dir);
}
#endif

bool i18n_init(Error *err)
{
    set_messages();
#if ENABLE_NLS
    bind_messages();
#endif
    if (!set_characters(err))
        return false;
    if (!setlocale(LC_TIME, wanted("LC_TIME")))
        setlocale(LC_TIME, UTF8_LOCALE);
    if (!setlocale(LC_COLLATE, wanted("LC_COLLATE")))
        setlocale(LC_COLLATE, UTF8_LOCALE);
    setlocale(LC_NUMERIC, "C");
    return true;
}
