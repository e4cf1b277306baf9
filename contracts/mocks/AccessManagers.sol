// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

// Named here so that its artifact is built for deployment.
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
