/* The least that a process can cost: started, ended. */
int main(void)
{
    return 0;
}
