/* make_certificates DIRECTORY: what tests/tools/certificates.h lists. */
#include "certificates.h"

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    certificates_make(argv[1]);
    return 0;
}
