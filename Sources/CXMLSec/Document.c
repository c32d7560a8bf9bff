#include "Internal.h"

#include <limits.h>
#include <libxml/parser.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

void cxmlsec_bytes_free(cxmlsec_bytes *bytes) {
    if (bytes->bytes)
        OPENSSL_cleanse(bytes->bytes, bytes->count);
    free(bytes->bytes);
    bytes->bytes = NULL;
    bytes->count = 0;
}

int cxmlsec_copy(cxmlsec_bytes *to, const void *bytes, size_t count) {
    to->bytes = malloc(count > 0 ? count : 1);
    if (!to->bytes)
        return 0;
    memcpy(to->bytes, bytes, count);
    to->count = count;
    return 1;
}

// MARK: Before parsing

static int begins_with(const uint8_t *bytes, size_t count, const char *text) {
    size_t length = strlen(text);
    return count >= length && memcmp(bytes, text, length) == 0;
}

static int is_declaration(const uint8_t *bytes, size_t count) {
    return begins_with(bytes, count, "<?xml") && count > 5 &&
           (bytes[5] == ' ' || bytes[5] == '\t' || bytes[5] == '\r' || bytes[5] == '\n');
}

/// In XML a `<` is nowhere but at the start of markup, so this finds all that is refused, and before a parser
/// acts on any of it. What only looks like it, within a comment, is refused as well.
static int markup_status(const uint8_t *bytes, size_t count, int is_lenient) {
    for (size_t index = 0; index < count; index++) {
        if (bytes[index] == 0)
            return CXMLSEC_MALFORMED;
        if (bytes[index] != '<' || index + 1 == count)
            continue;
        const uint8_t *here = bytes + index;
        size_t rest = count - index;
        if (here[1] == '!') {
            int is_comment = begins_with(here, rest, "<!--") || begins_with(here, rest, "<![CDATA[");
            if (!is_comment)
                return CXMLSEC_DOCUMENT_TYPE;
            if (!is_lenient)
                return CXMLSEC_FORBIDDEN_MARKUP;
        } else if (here[1] == '?' && !is_lenient && !(index == 0 && is_declaration(here, rest))) {
            return CXMLSEC_FORBIDDEN_MARKUP;
        }
    }
    return CXMLSEC_OK;
}

// MARK: Parsing

void cxmlsec_document_free(cxmlsec_document *document) {
    if (!document)
        return;
    xmlFreeDoc(document->document);
    free(document->elements);
    free(document);
}

static xmlNodePtr next_element(xmlNodePtr node) {
    while (node && node->type != XML_ELEMENT_NODE)
        node = node->next;
    return node;
}

/// Numbers the elements and finds kinds of nodes that should not be there.
static int number_elements(cxmlsec_document *document, int is_lenient) {
    xmlNodePtr node = xmlDocGetRootElement(document->document);
    int depth = 0;
    document->elements = calloc(CXMLSEC_MAX_ELEMENTS, sizeof *document->elements);
    if (!document->elements || !node)
        return CXMLSEC_INTERNAL;
    while (node) {
        if (document->count == CXMLSEC_MAX_ELEMENTS)
            return CXMLSEC_TOO_LARGE;
        if (depth > CXMLSEC_MAX_DEPTH)
            return CXMLSEC_TOO_DEEP;
        document->elements[document->count++] = node;
        for (xmlNodePtr child = node->children; child; child = child->next) {
            int is_plain = child->type == XML_ELEMENT_NODE || child->type == XML_TEXT_NODE;
            int is_skipped = child->type == XML_COMMENT_NODE || child->type == XML_PI_NODE ||
                             child->type == XML_CDATA_SECTION_NODE;
            if (!is_plain && !(is_lenient && is_skipped))
                return CXMLSEC_FORBIDDEN_MARKUP;
        }
        xmlNodePtr next = next_element(node->children);
        if (next)
            depth++;
        while (!next && depth > 0) {
            next = next_element(node->next);
            if (!next) {
                node = node->parent;
                depth--;
            }
        }
        node = next;
    }
    return CXMLSEC_OK;
}

static int read_document(cxmlsec_document *document, const uint8_t *bytes, size_t count, int is_lenient) {
    xmlParserCtxtPtr context = xmlNewParserCtxt();
    if (!context)
        return CXMLSEC_INTERNAL;
    // XML_PARSE_NOENT, DTDLOAD, HUGE and XINCLUDE are off: nothing is expanded or fetched.
    int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_IGNORE_ENC;
    document->document =
        xmlCtxtReadMemory(context, (const char *)bytes, (int)count, NULL, "UTF-8", options);
    int is_good = document->document && context->wellFormed && context->nsWellFormed && !context->disableSAX;
    xmlFreeParserCtxt(context);
    if (!is_good)
        return CXMLSEC_MALFORMED;
    if (document->document->intSubset || document->document->extSubset)
        return CXMLSEC_DOCUMENT_TYPE;
    // Some attribute xml:id made an ID: those are set here only.
    if (document->document->ids)
        return CXMLSEC_FORBIDDEN_MARKUP;
    return number_elements(document, is_lenient);
}

cxmlsec_document *cxmlsec_parse(const uint8_t *bytes, size_t count, int is_lenient, int *status) {
    if (is_lenient && begins_with(bytes, count, "\xEF\xBB\xBF")) {
        bytes += 3;
        count -= 3;
    }
    if (count > CXMLSEC_MAX_BYTES) {
        *status = CXMLSEC_TOO_LARGE;
        return NULL;
    }
    *status = cxmlsec_start() ? markup_status(bytes, count, is_lenient) : CXMLSEC_INTERNAL;
    if (*status == CXMLSEC_OK && (count == 0 || bytes[0] != '<'))
        *status = CXMLSEC_MALFORMED;
    if (*status != CXMLSEC_OK)
        return NULL;
    cxmlsec_document *document = calloc(1, sizeof *document);
    *status = document ? read_document(document, bytes, count, is_lenient) : CXMLSEC_INTERNAL;
    if (*status == CXMLSEC_OK)
        return document;
    cxmlsec_document_free(document);
    return NULL;
}

// MARK: Outline

typedef struct {
    cxmlsec_bytes to;
    size_t capacity;
    int status;
} writer;

static void put(writer *writer, const void *bytes, size_t count) {
    if (writer->status != CXMLSEC_OK)
        return;
    if (count > CXMLSEC_MAX_OUTLINE_BYTES - writer->to.count) {
        writer->status = CXMLSEC_TOO_LARGE;
        return;
    }
    if (writer->to.count + count > writer->capacity) {
        size_t capacity = 2 * (writer->to.count + count) + 1024;
        uint8_t *grown = realloc(writer->to.bytes, capacity);
        if (!grown) {
            writer->status = CXMLSEC_INTERNAL;
            return;
        }
        writer->to.bytes = grown;
        writer->capacity = capacity;
    }
    if (count > 0)
        memcpy(writer->to.bytes + writer->to.count, bytes, count);
    writer->to.count += count;
}

static void put_number(writer *writer, size_t value) {
    uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)};
    put(writer, bytes, 4);
}

static void put_text(writer *writer, const xmlChar *text) {
    size_t count = text ? strlen((const char *)text) : 0;
    put_number(writer, count);
    put(writer, text, count);
}

static void put_name(writer *writer, const xmlChar *name, const xmlNs *namespace) {
    const xmlChar *address = namespace ? namespace->href : NULL;
    if (strlen((const char *)name) > CXMLSEC_MAX_NAME_BYTES ||
        (address && strlen((const char *)address) > CXMLSEC_MAX_NAME_BYTES))
        writer->status = CXMLSEC_TOO_LARGE;
    put_text(writer, name);
    put_text(writer, address);
}

static void put_element(writer *writer, xmlNodePtr node) {
    size_t depth = 0, attributes = 0;
    for (xmlNodePtr parent = node->parent; parent && parent->type == XML_ELEMENT_NODE; parent = parent->parent)
        depth++;
    for (xmlAttrPtr attribute = node->properties; attribute; attribute = attribute->next)
        attributes++;
    put_number(writer, depth);
    put_number(writer, attributes);
    put_name(writer, node->name, node->ns);
    for (xmlAttrPtr attribute = node->properties; attribute; attribute = attribute->next) {
        put_name(writer, attribute->name, attribute->ns);
        xmlChar *value = xmlNodeListGetString(node->doc, attribute->children, 1);
        put_text(writer, value);
        xmlFree(value);
    }
    size_t count = 0;
    for (xmlNodePtr child = node->children; child; child = child->next) {
        if ((child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE) && child->content)
            count += strlen((const char *)child->content);
    }
    put_number(writer, count);
    for (xmlNodePtr child = node->children; child; child = child->next) {
        if ((child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE) && child->content)
            put(writer, child->content, strlen((const char *)child->content));
    }
}

int cxmlsec_outline(const cxmlsec_document *document, cxmlsec_bytes *outline) {
    writer writer = {.status = CXMLSEC_OK};
    for (size_t index = 0; index < document->count && writer.status == CXMLSEC_OK; index++)
        put_element(&writer, document->elements[index]);
    *outline = writer.to;
    return writer.status;
}
