from ece_core.worker.supervisor import main

if __name__ == "__main__":
    raise SystemExit(main())
