/* The installed header, for Swift's importer. */
#include <anemone/anemone.h>
