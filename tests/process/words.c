/* For test_under_wine.py. Prints the words that it was given, in UTF-8, each on a line, and a line with RS.
   With `@FILE`: starts what each line of FILE says, the program's path and its command line with US between. */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

static void start(wchar_t *program, wchar_t *line)
{
    STARTUPINFOW how = {sizeof how};
    PROCESS_INFORMATION it;
    if (!CreateProcessW(program, line, NULL, NULL, TRUE, 0, NULL, NULL, &how, &it)) {
        printf("not started: %lu\n", GetLastError());
    } else {
        WaitForSingleObject(it.hProcess, INFINITE);
        CloseHandle(it.hProcess);
        CloseHandle(it.hThread);
    }
    printf("\x1d\n");
    fflush(stdout);
}

static int start_all(const wchar_t *path)
{
    static char text[1 << 16];
    static wchar_t wide[1 << 16];
    FILE *file = _wfopen(path, L"rb");
    wchar_t *line, *middle;
    if (!file)
        return 1;
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, 1 << 16);
    for (line = wcstok(wide, L"\n"); line; line = wcstok(NULL, L"\n")) {
        middle = wcschr(line, 0x1f);
        *middle = 0;
        start(line, middle + 1);
    }
    return 0;
}

int wmain(int count, wchar_t **words)
{
    static char text[1 << 16];
    if (count == 2 && words[1][0] == L'@')
        return start_all(words[1] + 1);
    for (int i = 1; i < count; i++) {
        WideCharToMultiByte(CP_UTF8, 0, words[i], -1, text, sizeof text, NULL, NULL);
        printf("%s\n", text);
    }
    printf("\x1e\n");
    return 0;
}
